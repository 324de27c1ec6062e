"""What keeps the pages theirs: the headers of every page, and that a form was sent from one of them."""

import secrets
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import RequestEntityTooLarge

from finance import database
from finance.context import parts
from finance.database import before_writing
from finance.edge.bodies import BodyTooLarge, LengthRequired, UnsupportedMediaType
from finance.edge.waiting import receiving
from finance.errors import Forbidden, NotParseable
from finance.said import said

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # Flask-WTF wants a referrer over HTTPS
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language, Cookie",
}
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
FIELDS_MAX = 5_000  # of one form: the largest of ours has some hundred
_csrf = CSRFProtect()


class NotFromOurPages(Forbidden):
    detail_default = said(
        "This form was not sent from these pages, so nothing was stored. Open the page, and send it there."
    )


class OfAnEarlierSession(NotFromOurPages):
    """A form of our own pages, opened before its reader signed in anew."""


def protect_forms(app: Flask) -> None:
    """Have every form of the pages carry a token of its session; the API, which has no sessions, pays nothing.

    Where a form is from says Sec-Fetch-Site or Origin, so no Referer is asked for: some browsers send none.
    """
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SECRET_KEY=None,
        WTF_CSRF_SSL_STRICT=False,
    )
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
    origin = request.headers.get("Origin", "")
    try:
        is_ours = urlsplit(origin).netloc == request.host
    except ValueError:  # what isn't an address at all
        is_ours = False
    if not is_ours:
        raise NotFromOurPages


def read_form(*, bytes_max: int | None = None) -> None:
    """Read the fields that were sent, in bounds. Raises UnsupportedMediaType, LengthRequired or BodyTooLarge.

    `bytes_max` is how large the whole may be where it isn't as large as any body may be.
    """
    if bytes_max is not None:
        request.max_content_length = bytes_max
    length, length_max = request.content_length, request.max_content_length
    if request.mimetype not in FORM_TYPES and length != 0:
        raise UnsupportedMediaType(said("Send a form as these pages do, in UTF-8."))
    if length is None:
        raise LengthRequired(said("Send the form with a Content-Length; in chunks it is not taken."))
    if length_max is not None and length > length_max:
        raise BodyTooLarge(said("The form must be at most {most} bytes.", most=length_max))
    try:
        with receiving():
            fields = request.form
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(said("The form has fields that are too large, or too many of them.")) from error
    if length and not fields and not request.files:
        raise NotParseable(said("The form can't be read: it must be sent as these pages do, in UTF-8."))
    if None in fields:
        raise NotParseable(said("A part of the form has no name."))
    if len(fields) > FIELDS_MAX:
        raise BodyTooLarge(said("The form has fields that are too large, or too many of them."))


def require_token() -> None:
    """Raise NotFromOurPages where a form doesn't carry its session's token."""
    use_secret()
    try:
        _csrf.protect()
    except CSRFError as error:
        kind = OfAnEarlierSession if _is_signed(request.form.get("csrf_token", "")) else NotFromOurPages
        raise kind from error


def _is_signed(token: str) -> bool:
    """Return whether a token is one of ours, of whichever session."""
    try:
        URLSafeTimedSerializer(current_app.config["WTF_CSRF_SECRET_KEY"], salt="wtf-csrf-token").loads(token)
    except BadData:
        return False
    return True


def use_secret() -> None:
    """Have the secret that signs the tokens: FINANCE_WEB_SECRET, else one made once and kept in the database."""
    config = current_app.config
    if config["WTF_CSRF_SECRET_KEY"] is None:
        own = parts().config.web_secret
        made = partial(database.shared_secret, parts().db, name="pages", fresh=secrets.token_bytes(32))
        config["WTF_CSRF_SECRET_KEY"] = own or before_writing(made)().hex()
