"""The WSGI entry: `gunicorn wsgi:app`."""

from finance.app import create_app
from finance.config import Config

app = create_app(Config.from_env())
