"""What a page of a list costs beside the API's own: `python -m benchmarks.pages [--payments 100000] [--requests 200]`.

First bytes over HTTP, page and API call one after the other in the same run, on one connection each: the first page of
50, an older one, and a filter. Prints medians, p95s and their ratio (goal: 1.5), and a page of one payment.
"""

import argparse
import http.client
import re
import statistics
import time
from urllib.parse import urlencode, urlsplit

from benchmarks import serving
from benchmarks.list_payments import fill

LISTS = (
    ("first page", ""),
    ("paid in March", "paid_from=2026-03-01&paid_to=2026-03-31&sort=-paid_on"),
    ("one payer", "payer=Payer+7"),
)
GOAL = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        fill(db, options.payments)
        with serving.gunicorn(uri, db) as (url, _pid):
            key = serving.new_key(db, "accountant")
            reader = Reader(url, key)
            for name, query in LISTS:
                reader.compare(name, f"/payments?{query}", f"/api/v1/payments?limit=50&{query}", options.requests)
            reader.compare("older", reader.older("/payments"), reader.next_of("/api/v1/payments?limit=50"),
                           options.requests)  # fmt: skip
            number = f"PAY2026{options.payments:04}"
            reader.compare("one payment", f"/payments/{number}", f"/api/v1/payments/{number}", options.requests)


class Reader:
    """One who is signed in, and has the key: on one connection to the pages, and one to the API."""

    def __init__(self, url: str, key: str) -> None:
        host = urlsplit(url).netloc
        self._connections = http.client.HTTPConnection(host), http.client.HTTPConnection(host)
        self._api = {"Authorization": f"Bearer {key}"}
        self._origin = {"Origin": url, "Content-Type": "application/x-www-form-urlencoded"}
        connection = self._connections[0]
        connection.request("POST", "/sign-in", urlencode({"key": key}), self._origin)
        answer = connection.getresponse()
        answer.read()
        self._page = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0], "Accept-Language": "en-GB"}

    def compare(self, name: str, page: str, api: str, requests: int) -> None:
        """Print what a page and an API call take, asked for in turn."""
        of_page, of_api = [], []
        for place in range(requests + 10):
            seconds = self._first_byte(0, page, self._page), self._first_byte(1, api, self._api)
            if place >= 10:  # the first ones warm up
                of_page.append(seconds[0])
                of_api.append(seconds[1])
        ratio = statistics.median(of_page) / statistics.median(of_api)
        print(f"{name:14} page {_told(of_page)}, API {_told(of_api)}, ratio {ratio:.2f} (goal {GOAL})")

    def older(self, path: str) -> str:
        """Return where the page's link to older rows leads."""
        found = re.search(r'rel="next" href="([^"]+)"', self._read(0, path, self._page))
        assert found is not None, f"{path} leads to no older rows"
        return found[1].replace("&amp;", "&")

    def next_of(self, path: str) -> str:
        found = re.search(r'"next_cursor":"([^"]+)"', self._read(1, path, self._api))
        assert found is not None, f"{path} has no further page"
        return f"{path}&cursor={found[1]}"

    def _first_byte(self, which: int, path: str, headers: dict[str, str]) -> float:
        connection = self._connections[which]
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        taken = time.perf_counter() - begun
        assert answer.status == 200, (path, answer.status)
        answer.read()
        return taken

    def _read(self, which: int, path: str, headers: dict[str, str]) -> str:
        self._connections[which].request("GET", path, headers=headers)
        return self._connections[which].getresponse().read().decode()


def _told(seconds: list[float]) -> str:
    p95 = sorted(seconds)[int(len(seconds) * 0.95)]
    return f"{statistics.median(seconds) * 1000:.1f} ms (p95 {p95 * 1000:.1f})"


if __name__ == "__main__":
    main()
