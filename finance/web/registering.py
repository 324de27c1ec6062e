"""`register(app)`: the pages become part of an app."""

from flask import Flask

from finance.web import (
    activity,
    credit_note_changes,
    credit_note_giving,
    credit_notes,
    customer_changes,
    customers,
    exports,
    files,
    find,
    help_page,
    import_files,
    imports,
    invoice_changes,
    invoice_issuing,
    invoice_totals,
    invoices,
    keys,
    languages,
    numbers,
    overview,
    payment_allocating,
    payment_changes,
    payment_recording,
    payment_totals,
    payments,
    problems,
    receivables,
    security,
    shops,
    sign_in,
    statement,
    static_files,
)
from finance.web.cells import rows_of, status_cell, table_rows, text_cell
from finance.web.formats import amount, day, day_text, instant, money, money_text, month_text, number
from finance.web.pages import OFFER_AGAIN, SIGN_IN, blueprint, form_token, label
from finance.web.sessions import PageSessions
from finance.web.words import direction_word, method_word, status_word

PAGES = (  # importing them adds their addresses to the blueprint
    activity,
    credit_note_changes,
    credit_note_giving,
    credit_notes,
    customer_changes,
    customers,
    exports,
    files,
    find,
    help_page,
    import_files,
    imports,
    invoice_changes,
    invoice_issuing,
    invoice_totals,
    invoices,
    keys,
    numbers,
    overview,
    payment_allocating,
    payment_changes,
    payment_recording,
    payment_totals,
    payments,
    receivables,
    shops,
    sign_in,
    statement,
    static_files,
)

_GLOBALS = {
    "amount": amount,
    "day": day,
    "day_text": day_text,
    "form_token": form_token,
    "instant": instant,
    "label": label,
    "money": money,
    "money_text": money_text,
    "month_text": month_text,
    "number": number,
    "rows_of": rows_of,
    "status_cell": status_cell,
    "table_rows": table_rows,
    "text_cell": text_cell,
    "direction_word": direction_word,
    "method_word": method_word,
    "status_word": status_word,
}


def register(app: Flask) -> None:
    """Serve the pages, beside the API and from the same services."""
    app.session_interface = PageSessions()
    app.extensions[SIGN_IN] = sign_in.show_sign_in_between
    app.extensions[OFFER_AGAIN] = sign_in.show_form_again
    security.protect_forms(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(languages.gettext, languages.ngettext, newstyle=False)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(_GLOBALS)
    app.register_blueprint(blueprint)
    problems.show_problems_as_pages(app)
