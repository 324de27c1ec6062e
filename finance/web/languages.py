"""The reader's language: English in the code as `_("…")`, French in `fr.po`, and the locale of numbers and days.

A text with values has them as %(name)s. What the API says of an error is a text with {name}: `readers_text`.
"""

import gettext as gnu
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, request

from finance.said import in_language
from finance.wording import LANGUAGES, Language

COOKIE = "finance-language"
NAMES: dict[Language, str] = {"en": "English", "fr": "Français"}
_FRENCH = Path(__file__).parent / "fr.po"


@dataclass(frozen=True)
class Reader:
    """Who reads a page: the language of its texts, and the locale that its numbers and days follow."""

    language: Language
    locale: Locale


def reader() -> Reader:
    """Return who reads this page; found out once a request."""
    found: Reader | None = g.get("reader")
    if found is None:
        found = g.reader = _reader()
    return found


def gettext(message: str, **values: Any) -> str:
    """Return a text in the reader's language, with `values` in their places."""
    text = _translations(reader().language).gettext(message)
    return text % values if values else text


def ngettext(one: str, many: str, number: int, **values: Any) -> str:
    """Return the text for `number` things, with `num` and `values` in their places."""
    text = _translations(reader().language).ngettext(one, many, number)
    return text % {"num": number, **values}


def translated_later(message: str) -> str:
    """Return a text as it is: it is translated where it is shown. By this name the tests find that it is one."""
    return message


_ = gettext


def readers_text(text: str) -> str:
    """Return a text of the API, such as why a value is refused, in the reader's language."""
    return in_language(text, _translations(reader().language).gettext)


def _reader() -> Reader:
    accepted = [tag.replace("_", "-") for tag, _quality in request.accept_languages]
    chosen = request.cookies.get(COOKIE)
    if chosen not in LANGUAGES:
        chosen = next((tag[:2].lower() for tag in accepted if tag[:2].lower() in LANGUAGES), LANGUAGES[0])
    language = cast(Language, chosen)
    tags = [tag for tag in accepted if tag[:2].lower() == language and tag[2:3] in ("", "-")]
    return Reader(language, next(filter(None, map(_locale, tags[:3])), None) or Locale(language))


@cache
def _locale_of(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError, TypeError):
        return None


def _locale(tag: str) -> Locale | None:
    """Return the locale of a tag such as en-IN; what is longer than any of those isn't looked up (or remembered)."""
    known = len(tag) <= 6 and tag.replace("-", "").isascii() and tag.replace("-", "").isalnum()
    return _locale_of(tag[:2].lower() + tag[2:].upper()) if known else None


@cache
def _translations(language: Language) -> gnu.NullTranslations:
    """Return the texts of a language, read from its .po file when they are asked for first."""
    if language == "en":
        return gnu.NullTranslations()
    with _FRENCH.open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gnu.GNUTranslations(compiled)
