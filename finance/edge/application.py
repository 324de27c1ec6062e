"""Flask, without what no request here has a use for: sessions, signals, async views.

Each of them is asked for in every request, whether it is there or not; together they were a fifth of what Flask costs.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

HOSTS_MAX = 256  # remembered; whoever asks writes the Host, so there may be any number of them

_NO_SESSION = NullSession()


class _NoSessions(SessionInterface):
    """No cookie is read or set."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        pass


class Application(Flask):
    """A Flask whose views return a `Response`; of its blueprints, only `before_request` is asked."""

    session_interface = _NoSessions()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._adapters: dict[tuple[str | None, ...], MapAdapter] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches the address; what depends on scheme and host alone is found out once."""
        if request is None or "HTTP_UPGRADE" in request.environ:
            return super().create_url_adapter(request)
        environ = request.environ
        host = (environ.get("HTTP_HOST"), environ["SERVER_NAME"], environ["SERVER_PORT"])
        key = (*host, environ["wsgi.url_scheme"], environ.get("SCRIPT_NAME"))
        like = self._adapters.get(key)
        if like is None:
            like = super().create_url_adapter(request)
            if like is not None and len(self._adapters) < HOSTS_MAX:
                self._adapters[key] = like
            return like
        place = (like.server_name, like.script_name, like.subdomain, like.url_scheme)
        path = request.path if environ["PATH_INFO"] else ""  # decoded by now, as werkzeug does it for the adapter
        return MapAdapter(self.url_map, *place, path, request.method, request.query_string.decode(errors="replace"))

    def full_dispatch_request(self) -> Response:
        self._got_first_request = True
        try:
            answer = self.preprocess_request()
            if answer is None:
                answer = self.dispatch_request()
        except Exception as error:  # noqa: BLE001  as Flask itself: each has its handler
            answer = self.handle_user_exception(error)
        return self.finalize_request(answer)

    def finalize_request(self, rv: ResponseReturnValue | HTTPException, from_error_handler: bool = False) -> Response:
        if from_error_handler or not isinstance(rv, Response):
            return super().finalize_request(rv, from_error_handler)
        return self.process_response(rv)

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Call what begins each request, and then what begins each of its blueprint."""
        blueprint = request_ctx.request.blueprint  # None where nothing lies at the address
        for name in (None,) if blueprint is None else (None, blueprint):
            for begin in self.before_request_funcs.get(name, ()):
                answer: Any = begin()
                if answer is not None:
                    return answer
        return None

    def process_response(self, response: Response) -> Response:
        for finish in reversed(self.after_request_funcs.get(None, ())):
            response = finish(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        for leave in reversed(self.teardown_request_funcs.get(None, ())):
            leave(exc)

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """Nothing ends with the context of an app."""
