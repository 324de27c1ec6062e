"""Everything that a reader is told has a French text, with the same values in it; and every page bears longer texts."""

import ast
import gettext as gnu
import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.catalog import Message

from finance.web import languages
from tests.clients import Client
from tests.web import every_page
from tests.web.browser import Browser
from tests.web.french import FINANCE, KEYWORDS, Id, catalog, texts_of, used_texts, values_in

# With ’ in words, and with U+00A0, at which no line ends, where French has a space at a sign.
SAID_LATER = (("pages.py", "_(name)"), ("words.py", "_(word)"))  # `translated_later` marks what these translate
BADLY_PRINTED = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])|(?<=\S) (?=[:;?!»](\W|$)|%(?!\()(\W|$))|« ")


@pytest.fixture(scope="module")
def used() -> dict[Id, str]:
    """Every text in the code and the templates, with a place where it stands."""
    return used_texts()


@pytest.fixture(scope="module")
def french() -> list[Message]:
    """Every entry of the French files."""
    return [message for message in catalog() if message.id]


def test_every_text_has_a_french_one(used: dict[Id, str], french: list[Message]) -> None:
    whole = {message.id for message in french if not message.fuzzy and all(texts_of(message.string))}

    assert not {message: place for message, place in used.items() if message not in whole}


def test_no_french_text_is_left_over(used: dict[Id, str], french: list[Message]) -> None:
    assert not [message.id for message in french if message.id not in used]
    assert not list(catalog().obsolete)


def test_a_french_text_has_the_values_of_the_english_one(french: list[Message]) -> None:
    differing = {
        english: text
        for message in french
        for english, text in zip(texts_of(message.id), texts_of(message.string), strict=True)
        if values_in(english) != values_in(text)
    }

    assert not differing


def test_a_text_has_one_french_text_in_all_files(french: list[Message]) -> None:
    by_id: dict[Any, set[Any]] = {}
    for message in french:
        by_id.setdefault(message.id, set()).add(message.string)

    assert not {english: texts for english, texts in by_id.items() if len(texts) > 1}


def test_french_is_written_as_it_is_printed(french: list[Message]) -> None:
    assert not [text for message in french for text in texts_of(message.string) if BADLY_PRINTED.search(text)]


def test_every_text_is_a_literal_where_it_is_translated() -> None:
    """Otherwise it would not be found; what `translated_later` marks was found there."""
    calls = list(_calls())

    assert len(calls) > 300
    assert not [place for place, call in calls if not isinstance(call.args[0], ast.Constant)]


def test_every_page_bears_texts_a_third_longer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = every_page.seeded(client)
    monkeypatch.setattr(languages, "_translations", lambda _language: LongerTexts())
    admin = Browser(client)
    admin.get("/")
    admin.submit(longer("Sign in"), key=client.key("admin"))

    for path in paths:
        page = admin.get(path)
        assert page.status == 200, (path, page.text)
        assert longer("Sign out") in page.root.text, path


class LongerTexts(gnu.NullTranslations):
    """A language whose every text is a third longer than the English one."""

    def gettext(self, message: str) -> str:
        return longer(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return longer(msgid1 if n == 1 else msgid2)


def longer(text: str) -> str:
    """Return a text a third longer, with the same values."""
    return f"{text} {'long word ' * (len(text) // 30 + 1)}".strip() if text else text


def _calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of what makes a text, with the place that it stands at."""
    for path in sorted(FINANCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_text = isinstance(node, ast.Call) and getattr(node.func, "id", "") in KEYWORDS
            if is_text and (path.name, ast.unparse(node)) not in SAID_LATER:
                yield f"{path.relative_to(FINANCE)}:{node.lineno}", node
