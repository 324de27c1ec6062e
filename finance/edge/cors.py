"""Pages of other origins that may call the API from a browser (the CORS protocol of the Fetch standard).

Off unless `FINANCE_CORS_ORIGINS` names origins. Keys travel in a header that scripts set, so no credentials (cookies)
are allowed.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

PREFIX = "/api/v1"
SENT = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
SHOWN = "ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Request-Id"
REMEMBERED_S = 600  # how long a browser need not ask again


def share_with(app: Flask, origins: Sequence[str]) -> None:
    """Let scripts of these origins read the answers under /api/v1, those of failures too."""
    if not origins:
        return
    allowed = frozenset(origins)

    @app.after_request
    def share(response: Response) -> Response:
        if not request.path.startswith(PREFIX):
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = SHOWN
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                _answer_preflight(response)
        return response


def _answer_preflight(response: Response) -> None:
    """Say what may be sent. That OPTIONS is answered without a key, and by no view, is Flask's own."""
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
    response.headers["Access-Control-Allow-Headers"] = SENT
    response.headers["Access-Control-Max-Age"] = str(REMEMBERED_S)
