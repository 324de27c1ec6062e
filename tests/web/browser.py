"""A browser in this process: keeps cookies, follows links, fills in forms and sends what a browser would send.

    browser = Browser(client).sign_in("accountant")
    page = browser.get("/payments/new")
    page = browser.submit("Record the payment", amount="12.50", payer="Ada", …)
    assert page.done == "PAY20260001 is recorded."

Names of fields with a hyphen are given as `**{"lines-0-tax_rate": "20"}`.
"""

import io
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from werkzeug.datastructures import MultiDict

from finance.auth.model import Role
from tests.clients import Client
from tests.web.elements import Element, read

ORIGIN = "https://finance.test"
REDIRECTS_MAX = 5
_NOT_SENT = frozenset(("submit", "button", "reset", "image"))

Typed = str | bool | Iterable[str] | tuple[str, bytes]


class Page:
    """A page as it was answered."""

    def __init__(self, answer: Any, *, address: str, came_by: list[str]) -> None:
        self.status: int = answer.status_code
        self.headers = answer.headers
        self.html: str = answer.get_data(as_text=True)
        self.address = address  # with its query
        self.came_by = came_by  # the addresses that led here by a redirect
        self.root = read(self.html) if answer.mimetype == "text/html" else Element("#none", {})

    @property
    def main(self) -> Element:
        return self.root.one("main")

    @property
    def text(self) -> str:
        """What is read between the frame's top and bottom."""
        return self.main.text

    @property
    def title(self) -> str:
        title = self.root.one("title")
        return " ".join(title.typed.split())

    @property
    def h1(self) -> str:
        return self.root.one("h1").text

    @property
    def language(self) -> str:
        return self.root.one("html").get("lang")

    @property
    def done(self) -> str | None:
        """What is said once of what was done."""
        found = self.root.first("p", role="status")
        return found.text if found else None

    @property
    def alert(self) -> str | None:
        """What is wrong, above the form."""
        found = self.root.first(role="alert")
        return found.text if found else None

    @property
    def chips(self) -> list[str]:
        """The active filters of a list."""
        chips = self.root.first("ul", where=lambda element: "chips" in element.classes)
        return [link.text.removesuffix(" ✕") for link in chips.all("a") if link.has("aria-label")] if chips else []

    def field_error(self, name: str) -> str | None:
        """Return what is wrong with a field, as it stands beside it."""
        found = self.root.first(id=f"e-{name}")
        if found is None:
            return None
        field = self.root.one("input", "select", "textarea", "fieldset", where=lambda e: found_by(e, f"e-{name}"))
        assert field.get("aria-invalid") == "true", field
        return found.text

    def field(self, name: str) -> str:
        """Return what a field of the page's forms holds."""
        values = [value for form in self.forms() for sent, value in form.fields() if sent == name]
        assert values, f"There is no field {name!r} on {self.address}: {[form.names() for form in self.forms()]}"
        return str(values[0])

    def links(self) -> list[tuple[str, str]]:
        """Return every link of the page but those of its frame: its words, and where it leads."""
        return [(link.text, link.get("href")) for link in self.main.all("a")]

    def link(self, words: str) -> str:
        """Return where the link with these words (or aria-label) leads; one of the frame too."""
        links = self.root.all("a", where=lambda link: words in (link.text, link.get("aria-label")))
        addresses = {link.get("href") for link in links}
        assert len(addresses) == 1, f"{words!r} leads to {addresses}; there are {[link.text for link in self._links()]}"
        return addresses.pop()

    def has_link(self, words: str) -> bool:
        return any(words in (link.text, link.get("aria-label")) for link in self._links())

    def tables(self) -> list[Element]:
        return self.main.all("table")

    def rows(self, table: int | str | None = None) -> list[dict[str, str]]:
        """Return the rows of a table by its columns' titles.

        `table` is its place on the page, or how its caption begins; without it, it is the list (not the sums above
        it), else the first one.
        """
        tables = self.tables()
        if isinstance(table, str):
            tables = [each for each in tables if (each.first("caption") or each).text.startswith(table)]
        elif table is None:
            tables = [each for each in tables if "cards" in each.classes and "in-all" not in each.classes] or tables
        if not tables:
            return []
        table = table if isinstance(table, int) else 0
        heads = [head.text.rstrip(" ↑↓") for head in tables[table].one("thead").all("th")]
        bodies = tables[table].all("tbody")
        rows = [row.all("th", "td") for body in bodies for row in body.all("tr")]
        return [dict(zip(heads, (cell.text for cell in cells), strict=True)) for cells in rows]

    def column(self, title: str, table: int | str | None = None) -> list[str]:
        """Return a column of a table."""
        return [row[title] for row in self.rows(table)]

    def forms(self) -> "list[SentForm]":
        """Return the forms between the frame's top and bottom."""
        return [SentForm(form) for form in self.main.all("form")]

    def buttons(self) -> list[str]:
        return [button.text for button in self.main.all("button")]

    def form(self, button: str | None = None, *, action: str | None = None, fields: Iterable[str] = ()) -> "SentForm":
        """Return the form that has this button, this action and these fields; the page's only one of those.

        Without any of them it is the page's only one that posts.
        """
        asked_for = button or action or any(fields)
        found = [
            form
            for form in [SentForm(form) for form in self.root.all("form")]
            if (button is None or form.find_button(button) is not None)
            and (action is None or form.action == action)
            and set(fields) <= set(form.names())
            and (asked_for or (form.is_post and form.element.above("main") is not None))
        ]
        assert len(found) == 1, (
            f"{len(found)} forms with {button!r} {action!r} {list(fields)} on {self.address}:"
            f" {self.buttons()} {[form.names() for form in self.forms()]}"
        )
        return found[0]

    def _links(self) -> list[Element]:
        return self.root.all("a")


class SentForm:
    """A form of a page, and what is sent of it."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.action = element.get("action")
        self.is_post = element.get("method").lower() == "post"
        self.is_multipart = element.get("enctype") == "multipart/form-data"

    def names(self) -> list[str]:
        """Return the names of its fields, checked or not."""
        return [field.get("name") for field in self._controls() if field.has("name")]

    def find_button(self, wanted: str) -> Element | None:
        """Return the button with these words, this value or this aria-label."""
        return self.element.first(
            "button", where=lambda button: wanted in (button.text, button.get("value"), button.get("aria-label"))
        )

    def fields(self, button: Element | None = None) -> list[tuple[str, Any]]:
        """Return what is sent as the form stands, in its order."""
        sent: list[tuple[str, Any]] = []
        for field in self._controls():
            name = field.get("name")
            if name and not field.has("disabled") and (field.tag != "button" or field is button):
                sent += [(name, value) for value in _values_of(field)]
        return sent

    def filled_in(self, typed: Mapping[str, Typed], button: Element | None) -> list[tuple[str, Any]]:
        """Return what is sent once this was typed, ticked or chosen."""
        sent = self.fields(button)
        for name, value in typed.items():
            controls = [field for field in self._controls() if field.get("name") == name and field.tag != "button"]
            assert controls, f"There is no field {name!r}: {self.names()}"
            place = next((place for place, (other, _value) in enumerate(sent) if other == name), len(sent))
            sent = [(other, old) for other, old in sent if other != name]
            sent[place:place] = [(name, each) for each in _typed_into(controls, value)]
        return sent

    def _controls(self) -> list[Element]:
        return self.element.all("input", "select", "textarea", "button")


class Browser:
    """One who uses the pages. `get`, `follow` and `submit` return the page that they lead to, which is `page` then."""

    def __init__(self, client: Client, *, lang: str = "en-GB") -> None:
        self.client = client
        self.lang = lang
        self.http = client.app.test_client()
        self._page: Page | None = None
        # MongoDB ends sessions by its own clock, which is another one than a test may have set.
        client.db.client.admin.command({"setParameter": 1, "ttlMonitorEnabled": False})

    @property
    def page(self) -> Page:
        assert self._page is not None, "no page was opened"
        return self._page

    def sign_in(self, role: Role = "accountant", tenant: str = "acme", *, key: str | None = None) -> "Browser":
        """Sign in as a key of this role and tenant, made once."""
        self.get("/")
        signed_in = self.submit("Sign in" if self.page.language == "en" else "Se connecter",
                                key=key or self.client.key(role, tenant))  # fmt: skip
        assert "/sign-in" in [urlsplit(address).path for address in signed_in.came_by], signed_in.text
        return self

    def get(self, path: str, *, lang: str | None = None, follow: bool = True, **headers: str) -> Page:
        """Open an address, and where it redirects to; `lang` stays the reader's from now on."""
        self.lang = lang or self.lang
        return self._open("GET", path, follow=follow, headers=headers)

    def follow(self, words: str) -> Page:
        """Follow the link with these words."""
        return self.get(self.page.link(words))

    def submit(
        self, button: str | None = None, *, action: str | None = None, follow: bool = True, **typed: Typed
    ) -> Page:
        """Fill in a form of the page and press a button of it; Enter, where no button is named.

        A file is (its name, its bytes); a box is ticked by True; of several boxes with a name, those of the values.
        """
        form = self.page.form(button, action=action, fields=typed.keys())
        pressed = form.find_button(button) if button else form.element.first("button")
        assert pressed is None or not pressed.has("disabled"), pressed
        sent = form.filled_in(typed, pressed)
        address = (pressed.get("formaction") if pressed else "") or form.action or self.page.address
        if not form.is_post:
            return self.get(f"{address.partition('?')[0]}?{urlencode([(n, str(v)) for n, v in sent])}", follow=follow)
        return self.post(address, sent, multipart=form.is_multipart, follow=follow)

    def post(
        self,
        path: str,
        fields: Iterable[tuple[str, Any]],
        *,
        multipart: bool = False,
        follow: bool = True,
        **headers: str,
    ) -> Page:
        """Post fields as a form of ours would; for what no form of ours sends. None takes a header away."""
        sent = {"Origin": ORIGIN, **headers}
        lines = [(name, value.replace("\n", "\r\n") if isinstance(value, str) else value) for name, value in fields]
        if multipart:
            data: Any = MultiDict(
                (name, (io.BytesIO(value[1]), value[0]) if isinstance(value, tuple) else value) for name, value in lines
            )
            return self._open("POST", path, follow=follow, headers=sent, data=data, content_type="multipart/form-data")
        body = urlencode([(name, value[0] if isinstance(value, tuple) else value) for name, value in lines])
        kind = "application/x-www-form-urlencoded"
        return self._open("POST", path, follow=follow, headers=sent, data=body.encode(), content_type=kind)

    def _open(self, method: str, path: str, *, follow: bool, headers: Mapping[str, str], **options: Any) -> Page:
        address, came_by = urljoin(self._page.address if self._page else "/", path), list[str]()
        for _redirect in range(REDIRECTS_MAX):
            answer = self.http.open(
                address, method=method, base_url=ORIGIN, headers=self._headers(headers), buffered=True, **options
            )
            if not follow or answer.status_code not in (302, 303, 307, 308):
                break
            came_by.append(address)
            address, method, options = urljoin(address, answer.headers["Location"]), "GET", {}
            headers = {name: value for name, value in headers.items() if name != "Origin"}
            assert not urlsplit(address).netloc, f"leads to another host: {address}"
        else:
            raise AssertionError(f"redirects without end: {came_by}")
        self._page = Page(answer, address=address, came_by=came_by)
        return self._page

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        sent = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": self.lang, "Sec-Fetch-Mode": "navigate"}
        sent["Sec-Fetch-Site"] = "same-origin" if self._page else "none"
        if self._page:
            sent["Referer"] = f"{ORIGIN}{self._page.address}"
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {name: value for name, value in {**sent, **named}.items() if value is not None}


def found_by(element: Element, description: str) -> bool:
    """Return whether an element is described by this one."""
    return description in element.get("aria-describedby").split()


def _values_of(field: Element) -> list[Any]:
    kind = field.get("type", "text")
    if field.tag == "button":
        return [field.get("value")]
    if field.tag == "textarea":
        return [field.typed]
    if field.tag == "select":
        options = field.all("option")
        chosen = [option for option in options if option.has("selected")] or options[:1]
        return [_value_of_option(option) for option in chosen]
    if kind in _NOT_SENT or (kind in ("radio", "checkbox") and not field.has("checked")):
        return []
    return [("", b"")] if kind == "file" else [field.get("value", "on" if kind in ("radio", "checkbox") else "")]


def _typed_into(controls: list[Element], value: Typed) -> list[Any]:
    field, kind = controls[0], controls[0].get("type")
    if isinstance(value, bool):
        assert kind == "checkbox", field
        return [field.get("value", "on")] if value else []
    if isinstance(value, tuple):
        assert kind == "file", field
        return [value]
    values = [value] if isinstance(value, str) else list(value)
    if kind in ("radio", "checkbox"):
        offered = [control.get("value", "on") for control in controls]
        assert set(values) <= set(offered), f"{values} of {offered}"
    if field.tag == "select":
        offered = [_value_of_option(option) for option in field.all("option")]
        assert set(values) <= set(offered), f"{values} of {offered}"
    return values


def _value_of_option(option: Element) -> str:
    return option.get("value") if option.has("value") else " ".join(option.typed.split())
