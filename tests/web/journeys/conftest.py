"""A real browser at a real server: Debian's chromium, driven by Playwright, under the policy that pages are sent with.

Whatever the browser's console says fails the test; so does an address of another host.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.clients import HttpClient
from tests.web.french import catalog

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
]
TIMEOUT_MS = 20_000
# What a browser says of every page that is answered with 4xx, where a test asks for one; and of a sign-out.
NO_DEFECT = ("Failed to load resource: the server responded with a status of 4", "Clear-Site-Data header on ")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if CHROMIUM is None and "journeys" in item.path.parts and "web" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="there is no browser here: apt-get install -y chromium"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def api(shared_api: Any) -> HttpClient:
    """A tenant of its own on the served app, for seeding and for looking behind the pages."""
    return HttpClient(shared_api, f"journey-{uuid4().hex[:10]}")


class Desk:
    """Somebody at the pages. `page` is Playwright's; words are given in English and sought in the desk's language."""

    def __init__(self, context: BrowserContext, api: HttpClient, *, lang: str) -> None:
        self.context = context
        self.api = api
        self.base = api.api.url
        self.lang = lang
        self.said: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """Open another tab, whose console is heard too."""
        page = self.context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self._require_ours(request.url))
        return page

    def words(self, text: str, **values: object) -> str:
        """Return a text of ours in the desk's language."""
        if self.lang.startswith("fr"):
            text = next((m.string for m in catalog() if m.id == text), text)
        return text % values if values else text

    def sign_in(self, role: str = "accountant", key: str | None = None) -> "Desk":
        self.open("/")
        self.page.fill("#key", key or self.api.api.key(role, self.api.tenant))
        self.press("Sign in")
        self.page.wait_for_selector(".who")
        return self

    def open(self, path: str) -> int:
        """Open an address, and return the status of what it leads to."""
        answer = self.page.goto(self.base + path)
        return answer.status if answer else 0

    def press(self, words: str, **values: object) -> None:
        """Press the button with these words."""
        self.page.get_by_role("button", name=self.words(words, **values), exact=True).locator("visible=true").click()
        self.page.wait_for_load_state()

    def follow(self, words: str) -> None:
        """Follow the link of the page with these words."""
        self.page.get_by_role("main").get_by_role("link", name=self.words(words), exact=True).first.click()
        self.page.wait_for_load_state()

    def type(self, **values: str) -> None:
        """Type into fields of a form, by their names."""
        for name, value in values.items():
            field = self.page.locator(f'main [name="{name}"]').first
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def column(self, place: int) -> list[str]:
        """Return what the cells of a column of the list say."""
        return self.page.locator("table.cards").last.locator(f"tbody tr > :nth-child({place})").all_inner_texts()

    def _hear(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(NO_DEFECT):
            self.said.append(f"{message.type}: {message.text}")

    def _require_ours(self, url: str) -> None:
        if not url.startswith(self.base):
            self.said.append(f"asks another host: {url}")


OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(chromium: Chromium, api: HttpClient) -> Iterator[OpenDesk]:
    """`open_desk(lang="fr-FR", scripts=False, width=375, scheme="dark")` is somebody at a browser of their own."""
    opened: list[Desk] = []

    def desk(
        lang: str = "en-GB", *, scripts: bool = True, width: int = 1280, scheme: Any = "light", height: int = 900
    ) -> Desk:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            locale=lang,
            java_script_enabled=scripts,
            accept_downloads=True,
        )
        opened.append(Desk(context, api, lang=lang))
        return opened[-1]

    yield desk
    said = [line for desk in opened for line in desk.said]
    for each in opened:
        each.context.close()
    assert not said


# Both languages, with scripts and without: each once in the short form, all four in the long one.
LANGUAGES_AND_SCRIPTS = [  # (language, scripts)
    ("en-GB", True),
    ("fr-FR", False),
    ("en-GB", False),
    ("fr-FR", True),
]
SHORT = 2


@pytest.fixture(
    params=[
        pytest.param(each, marks=[] if place < SHORT else [pytest.mark.long], id=f"{each[0]}-{each[1]}")
        for place, each in enumerate(LANGUAGES_AND_SCRIPTS)
    ]
)
def desk(request: pytest.FixtureRequest, open_desk: OpenDesk) -> Desk:
    """An accountant, signed in."""
    lang, scripts = request.param
    return open_desk(lang, scripts=scripts).sign_in()
