"""Pictures of every page, to be looked at: `python -m tests.web.screenshots FOLDER [ADDRESS]`.

Serves the app on a database of its own with odd data, and takes each page (whose address contains ADDRESS) at 375, 768
and 1280 px, light and dark, in English and French, and as A4. Look for: one solid button; the eye lands on the number
and the amount; decimals in line; nothing cut or sideways; a voided payment told without colour; the same edges on any
two pages. What a test can see of that is in journeys/test_looks.py.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "scripts")]

from embedded_mongodb import EmbeddedMongodb  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from tests.clients import HttpClient  # noqa: E402
from tests.conftest import Api, _serving  # noqa: E402
from tests.web.every_page import seeded  # noqa: E402
from tests.web.journeys.conftest import ARGUMENTS, CHROMIUM  # noqa: E402

LOOKS: tuple[tuple[str, Any, tuple[int, ...]], ...] = (
    ("en-GB", "light", (1280, 768, 375)),
    ("en-GB", "dark", (1280,)),
    ("fr-FR", "light", (1280, 375)),
    ("fr-FR", "dark", (375,)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("address", nargs="?", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedMongodb(Path(folder) / "mongodb", cache_gb=0.25) as mongod,
        _serving(mongod.uri, Path(folder) / "api", 2, {}) as api,
    ):
        _take(api, options.folder, [path for path in seeded(HttpClient(api)) if options.address in path])


def _take(api: Api, folder: Path, paths: list[str]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for lang, scheme, widths in LOOKS:
            page = _signed_in(browser, api, locale=lang, color_scheme=scheme)
            for path in paths:
                page.goto(api.url + path)
                name = f"{re.sub('[^a-z0-9]+', '-', path.lower()).strip('-')[:60]}-{lang[:2]}-{scheme}"
                for width in widths:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
                if scheme == "light":
                    page.pdf(path=folder / f"{name}.pdf", format="A4", prefer_css_page_size=True)
        browser.close()


def _signed_in(browser: Browser, api: Api, **options: Any) -> Page:
    page = browser.new_context(**options).new_page()
    page.goto(f"{api.url}/")
    page.fill("#key", api.key("admin"))
    page.click("main button.solid")
    page.wait_for_selector(".who")
    return page


if __name__ == "__main__":
    main()
