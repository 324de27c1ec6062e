"""Pages that ask before an invoice or a credit note is changed. Each form carries the state that it showed.

Where the document has another one by then nothing is stored, and the form is shown again as things stand now.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from finance.conditions import ANY, Condition
from finance.edge.conditions import tag_of
from finance.errors import Conflict, FinanceError, PreconditionFailed
from finance.web.forms import Form
from finance.web.languages import _, readers_text
from finance.web.pages import render

STATE = "state"


def ask_page(template: str, title: str, shown: Mapping[str, Any], form: Form, **values: Any) -> tuple[str, int]:
    """Return a page that asks; the form carries the state of what is `shown`, as the API answers it in lists."""
    form.values.setdefault(STATE, tag_of(shown))
    page_title = _("Problem: %(title)s", title=title) if form.status != 200 else title
    return render(template, title=title, page_title=page_title, form=form, shown=shown, **values), form.status


def unchanged(form: Form, tags_of: Callable[[Any], Collection[str]]) -> Condition:
    """Return what a service asks of the document: that it is as the form showed it."""
    return Condition(tags_of, if_match=frozenset({form[STATE]}) - ANY)


def refused(form: Form, failure: FinanceError, shown: Mapping[str, Any]) -> Form:
    """Return the form to show again after a refusal; `shown` is how the document stands now.

    Where it changed, the form begins anew: what is sent then is another request.
    """
    has_changed = form[STATE] != tag_of(shown)
    if not isinstance(failure, PreconditionFailed) and not (has_changed and isinstance(failure, Conflict)):
        return form.refuse(failure)
    again = Form({**form.values, STATE: tag_of(shown)})
    again.status = 409
    again.notice = _("This changed while you were looking. This is how it stands now; nothing of yours was stored.")
    if isinstance(failure, Conflict):
        again.notice = f"{again.notice} {readers_text(failure.detail)}"
    return again
