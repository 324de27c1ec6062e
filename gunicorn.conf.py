"""Found by gunicorn when it is started in this folder: `gunicorn wsgi:app`."""

from finance.commands.gunicorn_conf import *  # noqa: F403  # its settings are its names
