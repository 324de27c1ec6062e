"""Settings: their defaults, and what a wrong one is told."""

import pytest

from finance.config import Config, ConfigError


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config.from_env({})

    assert (config.mongodb_uri, config.database_name) == ("mongodb://127.0.0.1:27017", "finance_suite")
    assert (config.timezone.key, config.payment_numbering) == ("UTC", "standard")


def test_an_empty_setting_is_as_if_unset() -> None:
    assert Config.from_env({"MONGODB_URI": "", "FINANCE_DATABASE": ""}) == Config.from_env({})


def test_limits_have_defaults_that_nobody_who_works_meets() -> None:
    config = Config.from_env({})

    assert str(config.failed_keys_per_address) == "30 per 1 minute"
    assert str(config.requests_per_key) == "120000 per 1 minute"
    assert config == Config()


def test_a_limit_can_be_switched_off() -> None:
    config = Config.from_env({"FINANCE_FAILED_KEYS_PER_ADDRESS": "off", "FINANCE_REQUESTS_PER_KEY": "Off"})

    assert (config.failed_keys_per_address, config.requests_per_key) == (None, None)


def test_a_wrong_limit_is_told_what_is_right() -> None:
    with pytest.raises(ConfigError, match="such as 30/minute"):
        Config.from_env({"FINANCE_REQUESTS_PER_KEY": "thirty"})


def test_every_proxy_can_be_trusted_as_gunicorn_has_it() -> None:
    assert [str(network) for network in Config.from_env({"FORWARDED_ALLOW_IPS": "*"}).trusted_proxies] == [
        "0.0.0.0/0",
        "::/0",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URI", "localhost:27017"),
        ("FINANCE_DATABASE", "a/b"),
        ("FINANCE_TIMEZONE", "Europe/Atlantis"),
        ("FINANCE_TIMEZONE", "../../etc/passwd"),
        ("PAYMENT_NUMBERING", "random"),
        ("FINANCE_LOG_LEVEL", "LOUD"),
        ("FINANCE_FAILED_KEYS_PER_ADDRESS", "30"),
        ("FINANCE_FAILED_KEYS_PER_ADDRESS", "30/minuet"),
        ("FINANCE_FAILED_KEYS_PER_ADDRESS", "0/minute"),
        ("FINANCE_FAILED_KEYS_PER_ADDRESS", "30/minute;100/hour"),
        ("FINANCE_REQUESTS_PER_KEY", "many"),
        ("FINANCE_REQUESTS_PER_KEY", "-5/minute"),
        ("FINANCE_REQUESTS_PER_KEY", "5/99999999999years"),
        ("FINANCE_EXPORTS_AT_ONCE", "0"),
        ("FINANCE_EXPORTS_AT_ONCE", "four"),
        ("FORWARDED_ALLOW_IPS", "nginx"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
        ("FINANCE_BANK_CHANGES", "accountants"),
        ("FINANCE_BANK_CHANGES", "Accountant"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({name: value})


def test_who_may_change_bank_accounts_is_a_client_unless_told_otherwise() -> None:
    assert Config.from_env({}).bank_changes == "client"
    assert Config.from_env({"FINANCE_BANK_CHANGES": "accountant"}).bank_changes == "accountant"


def test_a_password_is_never_shown() -> None:
    config = Config.from_env({"MONGODB_URI": "mongodb://user:secret@db.example/?tls=true"})

    assert "secret" not in repr(config)
    assert config.address == "mongodb://db.example/?tls=true"
