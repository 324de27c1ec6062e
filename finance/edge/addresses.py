"""Whose address a request comes from, behind proxies that we trust."""

import functools
import ipaddress
from collections.abc import Iterable

from finance.config import IpNetwork

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
FORWARDED_CHARACTERS_MAX = 1_000
_IPV6_PREFIX = 64  # what one subscriber has of IPv6: so many addresses count as one


def client_address(peer: str, forwarded_for: str, trusted: tuple[IpNetwork, ...]) -> str | None:
    """Return the client's address, None where there is none to be known.

    `peer` is who is connected to us, "" for a unix socket (a proxy on this machine). Only a peer in `trusted` is
    believed what `forwarded_for` (X-Forwarded-For, several of them with commas between) says, and then its right-most
    address that is not a trusted proxy's itself: what stands left of that, anybody can have written.
    """
    if not forwarded_for or len(forwarded_for) > FORWARDED_CHARACTERS_MAX:
        forwarded_for = ""  # no chain of proxies is that long
    return _client_address(peer, forwarded_for, trusted)


@functools.lru_cache(maxsize=4_096)  # the same few addresses, in every request
def _client_address(peer: str, forwarded_for: str, trusted: tuple[IpNetwork, ...]) -> str | None:
    nearest = _parse(peer)
    if nearest is None and peer:
        return None
    for entry in reversed(forwarded_for.split(",")):
        if nearest is not None and not _is_in(nearest, trusted):
            break
        further = _parse(entry.strip())
        if further is None:  # garbage: so far we know, and no further
            break
        nearest = further
    return None if nearest is None else str(nearest)


@functools.lru_cache(maxsize=4_096)
def neighbourhood(address: str) -> str:
    """Return what counts as one client: the IPv4 address, or the network that an IPv6 address is in."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_IPV6_PREFIX}", strict=False))


def _is_in(address: IpAddress, networks: Iterable[IpNetwork]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> IpAddress | None:
    """Return an address that may carry a port (203.0.113.7:4711, [2001:db8::7]:4711); None where it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # ::ffff:203.0.113.7, as a socket of both kinds says it
