"""What we say to somebody, such as why a value is refused: in English, and ready to be said in another language.

A text is made as `said("must be at most {most} bytes.", most=9)`. It is the English text, a `str` that goes wherever
one goes: into an answer, a log, a document. It also carries what it was made of, and so a page can say it again in its
reader's language (`in_language`). What makes a plain `str` of it, such as an f-string, `+` or `str()`, loses that:
where a text is put into another one, it is a value of that (`said("{name}: {detail}", name=name, detail=detail)`).

The French ones stand in `web/fr.po`; a test collects the templates by the name of this function, so each has to
be a literal where `said` is called.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class Said(str):
    """An English text that knows the template and the values that it was made of; without values it is the template."""

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object] | None = None) -> "Said":
        text = super().__new__(cls, template.format_map(values) if values else template)
        text.template, text.values = template, values or {}
        return text

    def format(self, *args: object, **values: object) -> "Said":
        """Return this text with values; marshmallow and our own tables of texts fill them in later."""
        return Said(self.template, {**self.values, **values}) if values else self

    def __reduce__(self) -> tuple[Any, ...]:  # for copy, deepcopy and pickle
        return Said, (self.template, self.values)


def said(template: str, /, **values: object) -> Said:
    """Return a text of ours; `values` stand in the places of the template, and may be such texts themselves.

    Without values the template is taken as it is, with all its braces.
    """
    return Said(template, values)


def joined(texts: Iterable[str]) -> str:
    """Return texts as one, with semicolons between them."""
    return functools.reduce(lambda before, text: said("{before}; {text}", before=before, text=text), texts)


def in_language(text: str, translate: Callable[[str], str]) -> str:
    """Return a text as `translate`, which is like gettext, says its template, with the same values in their places.

    What doesn't know its template, as a text that was stored, is looked up as it stands.
    """
    if not isinstance(text, Said):
        return translate(text) if text else text  # of "" gettext returns its catalog's header
    template = translate(text.template)
    if not text.values:
        return template
    return template.format_map(
        {
            name: in_language(value, translate) if isinstance(value, Said) else value
            for name, value in text.values.items()
        }
    )
