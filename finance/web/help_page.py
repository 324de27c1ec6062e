"""`/help`: how numbers are given, what the words mean, how things are written; for everybody, signed in or not."""

from typing import Any

from flask import g

from finance.web import sessions
from finance.web.formats import example_amount
from finance.web.languages import _
from finance.web.pages import open_page, render


@open_page("/help")
def show_help() -> Any:
    """Show what is worth knowing, on one page."""
    found = sessions.find_caller() if sessions.is_possible() else None
    if found is not None:
        g.caller = found
    return render("help.html", title=_("Help"), example=example_amount())
