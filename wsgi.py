"""The WSGI entry: `gunicorn wsgi:app` in this folder."""

from finance.commands.wsgi import app, config

__all__ = ["app", "config"]
