"""The texts of the code and the templates, and the French ones: what tests compare."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import finance

FINANCE = Path(finance.__file__).parent
FRENCH = FINANCE / "web" / "fr.po"
KEYWORDS: Mapping[str, Any] = {"said": None, "_": None, "gettext": None, "translated_later": None, "ngettext": (1, 2)}
_METHODS = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
_OPTIONS = {"web/templates/**.html": {"silent": "false"}}
_OURS = re.compile(r"%\((\w+)\)s")  # of the pages' own texts; those that are said have {name}

Id = str | tuple[str, ...]


def used_texts() -> dict[Id, str]:
    """Return every text in the code and the templates, with a place where it stands."""
    found = extract_from_dir(FINANCE, _METHODS, _OPTIONS, keywords=KEYWORDS)
    return {message: f"{file}:{line}" for file, line, message, _comments, _context in found}


def catalog() -> Catalog:
    """Return what the French file says."""
    return read_po(FRENCH.open("rb"), locale="fr", abort_invalid=True)


def texts_of(of: Any) -> tuple[str, ...]:
    """Return the singular and the plural of what has both."""
    return (of,) if isinstance(of, str) else tuple(of)


def values_in(text: str) -> set[str]:
    """Return the names of the values in a text."""
    if _OURS.search(text):
        return set(_OURS.findall(text))
    return {name for _literal, name, _spec, _conversion in Formatter().parse(text) if name is not None}
