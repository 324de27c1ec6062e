"""What holds for every page, whatever stands on it: everybody can use it, nothing is sideways, one button is solid."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web.every_page import seeded
from tests.web.journeys.conftest import Desk, OpenDesk

pytestmark = pytest.mark.journey

WIDTHS = (320, 375, 768, 1280)
AXE = Axe()
SERIOUS = ("serious", "critical")
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Where decimals stand: the right edge of each amount before its currency, column by column.
RAGGED = """() => [...document.querySelectorAll("table")].flatMap(table => {
    const byColumn = {};
    for (const money of table.querySelectorAll("tbody td.number > .money:only-child > .cur"))
        (byColumn[money.closest("td").cellIndex] ||= new Set()).add(Math.round(money.getBoundingClientRect().left));
    return Object.values(byColumn).filter(edges => edges.size > 1).map(edges => [...edges]);
})"""
EDGES = """() => {
    const edge = (selector, side) => Math.round(document.querySelector(selector).getBoundingClientRect()[side]);
    return [edge("h1", "left"), edge("main", "right"), edge(".brand", "left")];
}"""


def test_everybody_can_use_a_page(open_desk: OpenDesk) -> None:
    """Every third; all of them in the long form."""
    desk = open_desk().sign_in("admin")

    assert _faults(desk, seeded(desk.api)[::3]) == {}


@pytest.mark.long
@pytest.mark.parametrize(
    ("lang", "scheme", "width"),
    [("en-GB", "light", 1280), ("en-GB", "dark", 1280), ("fr-FR", "dark", 375), ("fr-FR", "light", 375)],
)
def test_everybody_can_use_every_page(open_desk: OpenDesk, lang: str, scheme: str, width: int) -> None:
    desk = open_desk(lang, scheme=scheme, width=width).sign_in("admin")

    assert _faults(desk, seeded(desk.api)) == {}


@pytest.mark.parametrize("lang", ["fr-FR", pytest.param("en-IN", marks=pytest.mark.long)])
def test_nothing_is_sideways_and_decimals_stand_in_line(open_desk: OpenDesk, lang: str) -> None:
    desk = open_desk(lang, scripts=True).sign_in("admin")
    wrong = []
    for path in seeded(desk.api):
        desk.open(path)
        for width in WIDTHS:
            desk.page.set_viewport_size({"width": width, "height": 900})
            beyond = desk.page.evaluate(SIDEWAYS)
            ragged = desk.page.evaluate(RAGGED) if width == 1280 else []
            wrong += [(path, width, beyond, ragged)] if beyond > 0 or ragged else []

    assert not wrong


def test_every_page_has_one_solid_button_and_the_same_edges(open_desk: OpenDesk) -> None:
    desk = open_desk().sign_in("admin")
    solid, edges = {}, {}
    for path in seeded(desk.api):
        desk.open(path)
        solid[path] = desk.page.locator("main .solid:visible").count()
        edges[path] = tuple(desk.page.evaluate(EDGES))

    assert {path: count for path, count in solid.items() if count > 1} == {}
    assert len(set(edges.values())) == 1, edges


def _faults(desk: Desk, paths: list[str]) -> dict[str, list[str]]:
    """Return what axe finds serious, by page."""
    found = {}
    for path in paths:
        assert desk.open(path) == 200, path
        violations = AXE.run(desk.page).response["violations"]
        faults = [
            f"{violation['id']}: {node['html'][:160]}"
            for violation in violations
            if violation["impact"] in SERIOUS
            for node in violation["nodes"][:3]
        ]
        if faults:
            found[path] = faults
    return found
