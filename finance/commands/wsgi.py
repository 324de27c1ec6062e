"""The app that gunicorn serves: `gunicorn finance.commands.wsgi:app`, or `gunicorn wsgi:app` in the repository."""

from finance import logs
from finance.app import build_indexes, create_app
from finance.config import Config

config = Config.from_env()
logs.configure(config.log_level)
app = create_app(config)
build_indexes(app)
