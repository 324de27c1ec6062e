"""How gunicorn runs the app: `gunicorn --config python:finance.commands.gunicorn_conf finance.commands.wsgi:app`.

It is read in gunicorn's master, before any worker has loaded the app.
"""

import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

_NAMED = os.environ.get("PROMETHEUS_MULTIPROC_DIR")


def _metrics_folder() -> str:
    """Return an empty folder in which the workers' metrics meet.

    It has to stand, and to be named in the environment, before the app (and with it prometheus_client) is loaded. Files
    of an earlier run would be added to this run's numbers; those of the master that a new one (SIGUSR2) takes over from
    are of this run.
    """
    folder = Path(_NAMED or tempfile.mkdtemp(prefix="finance-metrics-"))
    folder.mkdir(parents=True, exist_ok=True)
    if "GUNICORN_PID" not in os.environ:
        for left_over in folder.glob("*.db"):
            left_over.unlink(missing_ok=True)
    return str(folder)


os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder()

_host = os.environ.get("HOST") or "127.0.0.1"
bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT') or '8000'}"

# Workers wait for MongoDB nearly all of their time: with gevent one process serves hundreds of requests meanwhile, and
# those that wait together are stored together. That was about twice the throughput of gthread. One process a core.
_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# What the class adds: a time for a body to arrive, and for an answer to be taken.
worker_class = "finance.edge.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 0) or min(_cores, 8)
# A connection costs a file and some memory. Those of slow clients end by themselves within the times below; how many
# one address may have is the proxy's to say.
worker_connections = 2000
# They are more than many systems let a process have open (1,024) beside those to MongoDB.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_files = 4 * worker_connections if _hard == resource.RLIM_INFINITY else min(4 * worker_connections, _hard)
if _soft != resource.RLIM_INFINITY and _soft < _files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_files, _hard))

# Workers report by touching a file. On a disk that stalls, that would look as if they hung; this is memory.
if os.access("/dev/shm", os.W_OK):
    worker_tmp_dir = "/dev/shm"

# pymongo is not fork-safe: each worker loads the app, and makes its own client.
preload_app = False

# How long a silent *worker* may live, not a request: gevent workers report from their own loop. The deadlines of
# requests are the app's (database 8 s, answer 10 s), so a graceful stop never has to wait longer than this.
timeout = 60
graceful_timeout = 15
# From one request to the whole head of the next, and to that of the first: one that trickles in is cut off by then,
# without an answer. So it is short, and a graceful stop waits this long for connections on which nothing is under way.
# A proxy that keeps connections longer has to repeat a request on a fresh one, or keep them for less than this.
keepalive = 5
# From the head on (finance/edge/worker.py) a body has 6 s to arrive as a whole (408), a client 20 s to take each piece
# of an answer, and a refused one 2 s to stop sending. With the database's 8 s an answer comes within 10 s.

# gunicorn takes its parser in C (gunicorn_h1c, gunicorn[fast]) wherever that is installed. It reads folded headers
# and lines that end in LF alone, which are 400 here: what two readers understand differently smuggles requests.
http_parser = "python"

# All of a head is searched again for its end with each packet, so it is small: ours have a key and a query.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 4094

# The app logs each request as JSON; gunicorn only says what happens to itself, on stderr.
accesslog = None
errorlog = "-"
# A socket to command gunicorn at run time: one more way in, and the same path for every instance of a user.
control_socket_disable = True


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a worker that has ended; its counters stay in the sum."""
    from prometheus_client import multiprocess  # not before the folder is named

    multiprocess.mark_process_dead(worker.pid)


def pre_exec(server: Any) -> None:
    """Have the new master (SIGUSR2) started as this one was.

    gunicorn remembers `python -m gunicorn` as `python …/gunicorn/__main__.py`, whose folder would hide Python's `http`.
    """
    python, script, *arguments = server.START_CTX["args"]
    if Path(script).name == "__main__.py":
        server.START_CTX["args"] = [python, "-m", "gunicorn", *arguments]


def on_exit(server: Any) -> None:
    """Remove the folder if we made it ourselves, and no new master (SIGUSR2) goes on with it."""
    if not _NAMED and not server.reexec_pid:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
