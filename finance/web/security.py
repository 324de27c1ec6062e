"""What keeps the pages theirs: the headers of every page, and that a form was sent from one of them."""

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from finance import database
from finance.context import parts
from finance.errors import Forbidden
from finance.said import said

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # Flask-WTF wants a referrer over HTTPS
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language, Cookie",
}
_csrf = CSRFProtect()


class NotFromOurPages(Forbidden):
    detail_default = said(
        "This form was not sent from these pages, so nothing was stored. Open the page, and send it there."
    )


def protect_forms(app: Flask) -> None:
    """Have every form of the pages carry a token of its session; the API, which has no sessions, pays nothing."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SECRET_KEY=None)
    _csrf.init_app(app)


def add_headers(response: Response) -> Response:
    """Add what every page is sent with."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def require_same_site() -> None:
    """Raise NotFromOurPages where another site, or nothing that says where it is from, has sent a form."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise NotFromOurPages
        return
    if urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        raise NotFromOurPages


def require_token() -> None:
    """Raise NotFromOurPages where a form doesn't carry its session's token."""
    use_secret()
    try:
        _csrf.protect()
    except CSRFError as error:
        raise NotFromOurPages from error


def use_secret() -> None:
    """Have the secret that signs the tokens: FINANCE_WEB_SECRET, else one made once and kept in the database."""
    config = current_app.config
    if config["WTF_CSRF_SECRET_KEY"] is None:
        own = parts().config.web_secret
        kept = own or database.shared_secret(parts().db, name="pages", fresh=secrets.token_bytes(32)).hex()
        config["WTF_CSRF_SECRET_KEY"] = kept
