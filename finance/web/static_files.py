"""`/static/<digest>/app.css`: read once, named by their content, so that a browser may keep them for a year."""

import hashlib
import re
from pathlib import Path

from flask import Response

from finance.errors import NotFound
from finance.web.pages import blueprint
from finance.web.security import add_headers

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_BESIDE_SIGNS = re.compile(r"(?<=[{};,]) | (?=[{};])|(?<=[a-z]:) ")


def _content(path: Path) -> bytes:
    """Return what is sent of a file: a style sheet without its comments and spaces."""
    if path.suffix != ".css":
        return path.read_bytes()
    bare = re.sub(r"\s+", " ", _COMMENT.sub("", path.read_text(encoding="utf-8")))
    return _BESIDE_SIGNS.sub("", bare).replace(";}", "}").strip().encode()


_CONTENT = {path.name: _content(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
DIGEST = hashlib.sha256(b"\0".join(_CONTENT.values())).hexdigest()[:12]


@blueprint.route("/static/<digest>/<name>")
def get_static_file(digest: str, name: str) -> Response:
    """Send a style sheet, script or icon; one of an earlier version is the one of now, not to be kept."""
    content = _CONTENT.get(name)
    if content is None:
        raise NotFound
    answer = Response(content, content_type=_TYPES[Path(name).suffix])
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if digest == DIGEST else "no-store"
    return add_headers(answer)


@blueprint.app_template_global()
def static_url(name: str) -> str:
    """Return the address of a file in `static/`."""
    return f"/static/{DIGEST}/{name}"
