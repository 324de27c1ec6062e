# The API alone; docker-compose.yml runs it together with MongoDB.

FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt ./
COPY scripts/environment.py scripts/python_version.py scripts/
# The scripts find their environment as they left it, so that `docker compose exec api scripts/create_key.py` just works.
ENV FINANCE_VENV=/venv PIP_NO_CACHE_DIR=1
RUN python -c "import sys; sys.path.insert(0, 'scripts'); import environment; \
    environment.ensure('requirements.txt')"

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin finance
WORKDIR /app
COPY --from=build /venv /venv
COPY requirements.txt wsgi.py gunicorn.conf.py ./
COPY scripts/*.py scripts/
COPY finance finance
# Nothing but /tmp is ever written to, so that the file system can be mounted read-only.
ENV PATH=/venv/bin:$PATH \
    FINANCE_VENV=/venv \
    FINANCE_VAR=/tmp/finance \
    HOST=0.0.0.0 \
    PORT=8000 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN python -m compileall -q finance wsgi.py scripts
USER 10001
EXPOSE 8000
# Whether the process lives, not whether MongoDB answers: to restart the API would not help MongoDB.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
# gunicorn gives requests 15 seconds at SIGTERM (finance/commands/gunicorn_conf.py): give the container more than that.
STOPSIGNAL SIGTERM
CMD ["gunicorn", "wsgi:app"]
