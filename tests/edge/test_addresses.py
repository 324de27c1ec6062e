"""Whose address a request comes from: only a trusted proxy is believed, and only what it has seen itself."""

import pytest

from finance.config import Config
from finance.edge.addresses import client_address, neighbourhood

TRUSTED = Config.from_env({"FORWARDED_ALLOW_IPS": "127.0.0.1,::1,10.0.0.0/8"}).trusted_proxies


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # not a proxy of ours: it can say what it likes
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the left one is what the client wrote
        ("127.0.0.1", "198.51.100.1,203.0.113.7,10.1.2.3", "203.0.113.7"),  # through two proxies of ours
        ("127.0.0.1", "198.51.100.1, 10.0.0.9, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),  # nobody outside
        ("127.0.0.1", "10.1.2.4, 10.1.2.3", "10.1.2.4"),
        ("127.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "2001:DB8:0::7", "2001:db8::7"),
        ("127.0.0.1", "198.51.100.1, unknown", "127.0.0.1"),  # past garbage nothing is believed
        ("127.0.0.1", "203.0.113.7, 10.1.2.3, , 10.1.2.4", "10.1.2.4"),
        ("127.0.0.1", "fin_secret", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7," + "10.1.2.3," * 200, "127.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("2001:db8::9", "198.51.100.1", "2001:db8::9"),
        ("", "203.0.113.7", "203.0.113.7"),  # a unix socket: only this machine reaches it
        ("", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("", "", None),
        ("", "garbage", None),
        ("garbage", "203.0.113.7", None),
    ],
)
def test_the_address_is_the_right_most_that_no_trusted_proxy_has(
    peer: str, forwarded_for: str, address: str | None
) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == address


def test_where_every_proxy_is_trusted_the_left_most_entry_is_believed() -> None:
    everybody = Config.from_env({"FORWARDED_ALLOW_IPS": "*"}).trusted_proxies

    assert client_address("203.0.113.7", "198.51.100.1, 192.0.2.1", everybody) == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one(address: str, shared: str) -> None:
    assert neighbourhood(address) == shared
