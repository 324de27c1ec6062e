"""`/imports`: choose a file, see what would become of each row, have it stored, and see how far that is."""

from collections.abc import Sequence
from typing import Any, cast

from flask import Response, current_app, g, redirect, request, url_for

from finance.auth.guard import caller
from finance.context import parts
from finance.customers.columns import column_names
from finance.edge.frames import extend_deadline
from finance.edge.worker import MORE_TIME
from finance.errors import FinanceError
from finance.imports import receiving, service
from finance.imports.columns import REQUIRED
from finance.imports.making import EXTENSION
from finance.imports.model import (
    FILE_BYTES_MAX,
    KINDS,
    NOT_STORED,
    ROWS_MAX,
    UNFINISHED,
    VERDICTS,
    Import,
    ImportRow,
    Kind,
)
from finance.payments.mapping import OURS
from finance.web import sessions
from finance.web.formats import instant_text, number
from finance.web.forms import Form
from finance.web.languages import _, ngettext, readers_text
from finance.web.pages import asked, blueprint, label, page, render, see_other
from finance.web.words import status_word

UPLOAD_S = 120.0  # for ten megabytes to arrive
FORM_BYTES_MAX = 64 * 1024  # what a form has beside its file
MEGABYTES_MAX = FILE_BYTES_MAX // 1024 // 1024
PIECE_BYTES = 64 * 1024
FORGOTTEN_BYTES_MAX = 128 * 1024 * 1024
REFRESH_S = 3  # after which a page that tells how far it is shows itself again
PAGE_ROWS = 50

# --- Choose ------------------------------------------------------------------------------------------------------


@page("/imports")
def list_imports() -> str:
    """List the files that were uploaded, the newest first."""
    uploads = service.list_imports(parts().db, tenant=caller().tenant)
    if any(upload["status"] in UNFINISHED for upload in uploads):
        _look()
    return render("imports/list.html", title=_("Imports"), uploads=uploads, kind_word=kind_word, state_word=state_word)


@page("/imports/new", methods=["GET", "POST"])
def upload_file() -> Any:
    """Take a file, and have it checked."""
    if request.method != "POST":
        form = Form.opened({"kind": _kind(request.args.get("kind", ""))})
        if "too_large" in request.args:
            said = _(
                "The file has more than %(megabytes)s MB. Nothing was stored. The command below imports it.",
                megabytes=MEGABYTES_MAX,
            )
            form.errors["file"] = [said]
        return _upload_form(form)
    form = Form.sent()
    kind = _kind(form["kind"])
    file = request.files.get("file")
    if file is None or not file.filename:
        form.errors["file"] = [_("Choose a file.")]
        form.status = 422
        return _upload_form(form)
    pieces = iter(lambda: file.stream.read(PIECE_BYTES), b"")
    try:
        received = receiving.receive(
            parts().db, asked(), kind=kind, name=file.filename, pieces=pieces, cipher=parts().cipher
        )
    except FinanceError as refused:
        return _upload_form(form.refuse(refused))
    _look()
    return see_other(url_for("web.show_import", import_id=received.upload["_id"]), done=_said_of(received))


@blueprint.before_request
def _prepare_upload() -> Response | None:
    """Let whoever is signed in send a file: larger than a form, and in more time than one has."""
    if request.endpoint != "web.upload_file" or request.method != "POST":
        return None
    if sessions.find_caller() is None:  # what was chosen can't be carried through a sign-in
        return cast(Response, redirect(f"/?next={request.path}", 303))
    give_time = request.environ.get(MORE_TIME)
    if give_time is not None:
        give_time(UPLOAD_S)
    extend_deadline(UPLOAD_S + g.frame.deadline_s)
    request.max_content_length = FILE_BYTES_MAX + FORM_BYTES_MAX
    if (request.content_length or 0) > request.max_content_length:
        _leave_unread()
        return cast(Response, redirect(f"{request.path}?too_large", 303))
    return None


def _leave_unread() -> None:
    """Let a file that is too large arrive, and forget it: a browser that is still sending shows no answer."""
    body = request.environ["wsgi.input"]
    for _piece in range(FORGOTTEN_BYTES_MAX // PIECE_BYTES):
        if not body.read(PIECE_BYTES):
            return


def _upload_form(form: Form) -> tuple[str, int]:
    title = _("Import a file")
    body = render(
        "imports/new.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if form.status != 200 else title,
        form=form,
        kinds=[(kind, kind_word(kind)) for kind in KINDS],
        columns=_columns(),
        megabytes=MEGABYTES_MAX,
        rows=ROWS_MAX,
        tenant=caller().tenant,
    )
    return body, form.status


def _columns() -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Return what may be imported, with the columns of each: the name, what it is called, whether it is required."""
    payments = [(name, label(name), name in REQUIRED) for name in OURS]
    customers = [(name, "" if "." in name else label(name), name == "customer_name") for name in column_names()]
    return [("payments", payments), ("customers", customers)]


def _said_of(received: receiving.Received) -> str | None:
    if not received.is_known:
        return None
    return _(
        "This file was uploaded on %(day)s already: this is its import. Nothing is stored twice.",
        day=instant_text(received.upload["created_at"]),
    )


# --- One file ----------------------------------------------------------------------------------------------------


@page("/imports/<import_id>", methods=["GET", "POST"])
def show_import(import_id: str) -> Any:
    """Show what would become of a file, and have it stored, stopped, gone on with or thrown away."""
    if request.method == "POST":
        return _act(import_id, Form.sent())
    upload = service.get_import(parts().db, tenant=caller().tenant, import_id=import_id)
    is_running = upload["status"] in UNFINISHED
    if is_running:
        _look()
    body = Response(_import_page(upload, is_running=is_running), mimetype="text/html")
    if is_running:
        body.headers["Refresh"] = str(REFRESH_S)
    return body


def _act(import_id: str, form: Form) -> Any:
    db, who = parts().db, asked()
    if form.does == "throw_away":
        service.throw_away(db, who, import_id=import_id)
        return see_other(url_for("web.list_imports"), done=_("The file was thrown away. Nothing of it was stored."))
    if form.does == "store":
        service.start_storing(db, who, import_id=import_id, alike_too=form.has("alike_too"))
    elif form.does == "go_on":
        service.go_on(db, who, import_id=import_id)
    elif form.does == "stop":
        service.stop(db, who, import_id=import_id)
    _look()
    return see_other(url_for("web.show_import", import_id=import_id))


def _import_page(upload: Import, *, is_running: bool) -> str:
    shown = request.args.get("show", "")
    verdicts = [verdict for verdict in VERDICTS if upload.get("counts", {}).get(verdict)]
    if shown not in verdicts:
        shown = _first_of(verdicts)
    after = request.args.get("after", "")
    rows = _rows(upload, shown, int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0)
    return render(
        "imports/one.html",
        title=_("Import %(file)s", file=upload["name"]),
        upload=upload,
        is_running=is_running,
        step=_step(upload),
        failure=readers_text(upload.get("failure") or ""),
        verdicts=verdicts,
        totals={verdict: _totals(upload, verdict) for verdict in verdicts},
        shown=shown,
        rows=rows[:PAGE_ROWS],
        older=rows[PAGE_ROWS - 1]["line"] if len(rows) > PAGE_ROWS else None,
        storable=service.storable_count(upload),
        alike=upload.get("counts", {}).get("alike", 0),
        not_stored=sum(upload.get("counts", {}).get(verdict, 0) for verdict in NOT_STORED),
        kind_word=kind_word,
        verdict_word=verdict_word,
        problems=lambda row: [readers_text(problem) for problem in row.get("problems", [])],
        store_words=_store_words(upload),
    )


def _first_of(verdicts: Sequence[str]) -> str:
    """Return what is shown first: what somebody has to look at."""
    order = (*NOT_STORED, "new", "taken_over", "changed", "stored", "unchanged")
    return next((verdict for verdict in order if verdict in verdicts), "")


def _rows(upload: Import, verdict: str, after: int) -> list[ImportRow]:
    """Return the rows of a verdict after a line, and one more where there is one."""
    if not verdict or "rows_of" not in upload:
        return []
    return service.list_rows(parts().db, upload, verdicts=[verdict], after=after, at_most=PAGE_ROWS + 1)


def _totals(upload: Import, verdict: str) -> list[tuple[str, str, str]]:
    """Return amount, currency and direction of what has a verdict, as it was checked."""
    return [
        (total["amount"], total["currency"], total["direction"])
        for total in upload.get("totals", [])
        if total["verdict"] == verdict
    ]


def _step(upload: Import) -> int:
    """Return at which step it is: 2 Check or 3 Store."""
    return 2 if upload["status"] in ("waiting", "checking", "checked", "refused") else 3


def _store_words(upload: Import) -> str:
    count = service.storable_count(upload) or upload.get("counts", {}).get("alike", 0)
    if upload["kind"] == "customers":
        return ngettext("Store %(count)s customer", "Store %(count)s customers", count, count=number(count))
    return ngettext("Store %(count)s payment", "Store %(count)s payments", count, count=number(count))


def kind_word(kind: str) -> str:
    return label(kind)


def verdict_word(verdict: str) -> str:
    """Return what a verdict is called."""
    return status_word(verdict)


def state_word(upload: Import) -> str:
    """Return where a file stands, in a few words."""
    stored, to_store = number(upload.get("stored", 0)), number(upload.get("to_store", 0))
    words = {
        "waiting": _("Waits to be checked"),
        "checking": _("Being checked"),
        "checked": _("Checked, not stored yet"),
        "refused": _("Can’t be used"),
        "to_store": _("Waits to be stored"),
        "storing": _("%(stored)s of %(all)s stored, going on", stored=stored, all=to_store),
        "stopped": _("%(stored)s of %(all)s stored, stopped", stored=stored, all=to_store),
        "stored": _("%(stored)s stored", stored=stored),
    }
    return words[upload["status"]]


def _kind(text: str) -> Kind:
    return text if text in KINDS else KINDS[0]


def _look() -> None:
    """Have what waits worked off, unless this process does so already."""
    current_app.extensions[EXTENSION].look()
