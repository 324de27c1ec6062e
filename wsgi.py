"""The WSGI entry: `gunicorn wsgi:app`."""

from finance import logs
from finance.app import build_indexes, create_app
from finance.config import Config

config = Config.from_env()
logs.configure(config.log_level)
app = create_app(config)
build_indexes(app)
