"""What can be set from outside. `Config.from_env` is the only reader of the environment."""

import base64
import functools
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import limits

PaymentNumbering = Literal["standard", "no_gap"]
BankChanges = Literal["client", "accountant"]  # the least of the roles that may change stored bank accounts
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FILE_SUFFIX = "_FILE"  # of a setting that names the file which holds the value
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Rate = limits.RateLimitItem  # so many in so many seconds
RATE_SECONDS_MAX = 86_400
RATE_AMOUNT_MAX = 1_000_000_000
EXPORTS_AT_ONCE_MAX = 1_000
TRUSTED_PROXIES = "127.0.0.1,::1"  # gunicorn's own default
WEB_SECRET_LENGTH_MIN = 32
ENCRYPTION_KEY_BYTES = 96  # what MongoDB's field encryption takes as a local master key

PORT_BY_SCHEME = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+", re.ASCII)


class ConfigError(ValueError):
    """A setting has a value we can't use. Its text names the setting and what would be right."""

    @classmethod
    def unreadable_uri(cls, setting: str) -> "ConfigError":
        """Return the failure of reading where MongoDB is, without what stands there: it may be a part of a password."""
        return cls(
            f"{setting} can't be read: it must be mongodb://user:password@host:port/?replicaSet=name, with / : @ % in "
            "user and password escaped (%2F %3A %40 %25), ports from 1 to 65535, options as name=value with & between"
        )


@dataclass(frozen=True)
class Config:
    """The settings of one process. Times are in seconds, sizes in bytes."""

    mongodb_uri: str = field(default="mongodb://127.0.0.1:27017", repr=False)  # may carry a password
    mongodb_uri_setting: str = "MONGODB_URI"  # what to name in messages about it
    database_name: str = "finance_suite"
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    payment_numbering: PaymentNumbering = "standard"
    bank_changes: BankChanges = "client"
    log_level: str = "INFO"
    body_bytes_max: int = 1024 * 1024
    database_deadline_s: float = 8.0
    commit_deadline_s: float = 9.0  # every answer is given within 10 s
    key_cache_s: float = 3.0
    cors_origins: tuple[str, ...] = ()  # of pages that may call the API from a browser
    encryption_keys: tuple[bytes, ...] = field(default=(), repr=False)  # the first encrypts, all of them decrypt
    failed_keys_per_address: Rate | None = field(default_factory=lambda: limits.parse("30/minute"))  # None: no limit
    requests_per_key: Rate | None = field(default_factory=lambda: limits.parse("120000/minute"))
    exports_at_once: int = 4  # of one process
    web_secret: str | None = field(default=None, repr=False)  # signs the pages' forms; None: one made in the database
    trusted_proxies: tuple[IpNetwork, ...] = field(default_factory=lambda: _networks(TRUSTED_PROXIES))

    @property
    def address(self) -> str:
        """The MongoDB URI without user, password and options, some of which are secrets too, for messages."""
        return re.sub(r"//.*@", "//", self.mongodb_uri.partition("?")[0])

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Return the settings that the environment asks for; raises ConfigError naming the setting that is wrong."""
        env = os.environ if environ is None else environ
        uri, uri_setting = _secret(env, "MONGODB_URI")
        return cls(
            mongodb_uri=_mongodb_uri(uri or cls.mongodb_uri, uri_setting),
            mongodb_uri_setting=uri_setting,
            database_name=_database_name(env.get("FINANCE_DATABASE") or cls.database_name),
            timezone=_timezone(env.get("FINANCE_TIMEZONE") or "UTC"),
            payment_numbering=_one_of(env, "PAYMENT_NUMBERING", get_args(PaymentNumbering), "standard"),  # type: ignore[arg-type]
            bank_changes=_one_of(env, "FINANCE_BANK_CHANGES", get_args(BankChanges), "client"),  # type: ignore[arg-type]
            log_level=_one_of(env, "FINANCE_LOG_LEVEL", LOG_LEVELS, "INFO"),
            cors_origins=_cors_origins(env.get("FINANCE_CORS_ORIGINS") or ""),
            encryption_keys=_encryption_keys(*_secret(env, "FINANCE_ENCRYPTION_KEY")),
            failed_keys_per_address=_rate(env, "FINANCE_FAILED_KEYS_PER_ADDRESS", "30/minute"),
            requests_per_key=_rate(env, "FINANCE_REQUESTS_PER_KEY", "120000/minute"),
            exports_at_once=_count(env, "FINANCE_EXPORTS_AT_ONCE", cls.exports_at_once, at_most=EXPORTS_AT_ONCE_MAX),
            web_secret=_web_secret(*_secret(env, "FINANCE_WEB_SECRET")),
            trusted_proxies=_networks(env.get("FORWARDED_ALLOW_IPS") or TRUSTED_PROXIES),
        )


def _secret(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return a setting that may stand in a file, as Docker, systemd and Kubernetes hand secrets over, and who named it.

    A process' environment is shown by `docker inspect` and in crash reports; a file is not.
    """
    value, file = env.get(name) or "", env.get(name + FILE_SUFFIX) or ""
    if value and file:
        raise ConfigError(f"{name} and {name}{FILE_SUFFIX} are both set: leave one of them out")
    setting = name + FILE_SUFFIX if file else name
    value = (_content_of(file, setting) if file else value).rstrip("\r\n")
    if len(value.splitlines()) > 1:
        raise ConfigError(f"{setting} has a line break inside: the value belongs on one line")
    return value, setting


def _web_secret(value: str, setting: str) -> str | None:
    if value and len(value) < WEB_SECRET_LENGTH_MIN:
        raise ConfigError(f"{setting} must have at least {WEB_SECRET_LENGTH_MIN} characters, made at random")
    return value or None


def _content_of(file: str, setting: str) -> str:
    try:
        content = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{setting}={file} can't be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError(f"{setting}={file} is not a text file") from None
    if not content.strip():
        raise ConfigError(f"{setting}={file} is empty: the value belongs there, on one line")
    return content


def _mongodb_uri(value: str, setting: str) -> str:
    """Return a URI that looks like one; `database.require_readable` has the driver read it as a whole."""
    if not value.startswith(("mongodb://", "mongodb+srv://")):
        raise ConfigError(f"{setting} must begin with mongodb:// or mongodb+srv://")
    _hosts, _, database = value.partition("?")[0].partition("//")[2].partition("/")
    if "@" in database:  # the driver would take what stands before an unescaped / for the host
        raise ConfigError.unreadable_uri(setting)
    return value


def _database_name(value: str) -> str:
    if len(value) > 63 or any(character in '/\\. "$*<>:|?\0' for character in value):
        raise ConfigError(
            f"FINANCE_DATABASE={value!r} is not a MongoDB database name: up to 63 characters, no space . / or $"
        )
    return value


def is_timezone(name: str) -> bool:
    """Return whether this is a time zone that means the same on every machine; `localtime` doesn't."""
    return name in _timezones()


@functools.cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _timezone(value: str) -> ZoneInfo:
    if not is_timezone(value):
        raise ConfigError(f"FINANCE_TIMEZONE={value!r} is not an IANA time zone such as Europe/Paris")
    return ZoneInfo(value)


def _cors_origins(value: str) -> tuple[str, ...]:
    """Return the origins in `value`, with commas between them, each as browsers send it."""
    origins = [part.strip() for part in value.split(",") if part.strip()]
    for origin in origins:
        if origin == "*":
            raise ConfigError(
                "FINANCE_CORS_ORIGINS=* would let every page there is call this API with a key that it got hold of: "
                "name the origins of your pages, such as https://app.example.com"
            )
        right = _origin_of(origin)
        if right != origin:
            raise ConfigError(
                f"FINANCE_CORS_ORIGINS: {origin.rpartition('@')[2]!r} is not an origin as browsers send it, "
                + (f"which is {right}" if right else "such as https://app.example.com")
            )
    return tuple(origins)


def _origin_of(address: str) -> str | None:
    """Return the origin of an address (RFC 6454): its scheme, host and port, unless that is the scheme's own."""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # no port, no host name
        return None
    if parts.scheme not in PORT_BY_SCHEME or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, PORT_BY_SCHEME[parts.scheme]) else f":{port}")


def _encryption_keys(value: str, setting: str) -> tuple[bytes, ...]:
    """Return the keys in `value`: one, or several with commas between them while the key is being changed."""
    try:
        keys = tuple(base64.b64decode(part.strip(), validate=True) for part in value.split(",") if part.strip())
    except ValueError:  # not base64, or not even ASCII
        keys = (b"",)
    if any(len(key) != ENCRYPTION_KEY_BYTES for key in keys):
        raise ConfigError(
            f"{setting} must be base64 of {ENCRYPTION_KEY_BYTES} random bytes "
            f"(make one: openssl rand -base64 {ENCRYPTION_KEY_BYTES} | tr -d '\\n')"
        )
    return keys


def _rate(env: Mapping[str, str], name: str, default: str) -> Rate | None:
    """Return the limit that a setting names, None for `off`."""
    value = (env.get(name) or default).strip()
    if value.lower() == "off":
        return None
    try:
        [rate] = limits.parse_many(value)
    except ValueError:  # not the notation, or several limits
        rate = None
    if rate is None or not (0 < rate.amount <= RATE_AMOUNT_MAX and rate.get_expiry() <= RATE_SECONDS_MAX):
        raise ConfigError(
            f"{name}={value!r} must be a number and a time up to a day, such as 30/minute or 500/10second, or off"
        )
    return rate


def _count(env: Mapping[str, str], name: str, default: int, *, at_most: int) -> int:
    value = (env.get(name) or str(default)).strip()
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= at_most):
        raise ConfigError(f"{name}={value!r} must be a whole number from 1 to {at_most}")
    return int(value)


def _networks(value: str) -> tuple[IpNetwork, ...]:
    """Return the networks of FORWARDED_ALLOW_IPS, which gunicorn reads as well; `*` is every address."""
    named = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return tuple(
            ipaddress.ip_network(network)
            for part in named
            for network in (("0.0.0.0/0", "::/0") if part == "*" else (part,))
        )
    except ValueError:
        raise ConfigError(
            f"FORWARDED_ALLOW_IPS={value!r} must be addresses or networks with commas between them, "
            "such as 127.0.0.1,10.0.0.0/8"
        ) from None


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = env.get(name) or default
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} must be one of: {', '.join(allowed)}")
    return value
