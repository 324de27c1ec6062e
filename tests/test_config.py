"""Settings: their defaults, and what a wrong one is told."""

import pytest

from finance.config import Config, ConfigError


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config.from_env({})

    assert (config.mongodb_uri, config.database_name) == ("mongodb://127.0.0.1:27017", "finance_suite")
    assert (config.timezone.key, config.payment_numbering) == ("UTC", "standard")


def test_an_empty_setting_is_as_if_unset() -> None:
    assert Config.from_env({"MONGODB_URI": "", "FINANCE_DATABASE": ""}) == Config.from_env({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URI", "localhost:27017"),
        ("FINANCE_DATABASE", "a/b"),
        ("FINANCE_TIMEZONE", "Europe/Atlantis"),
        ("FINANCE_TIMEZONE", "../../etc/passwd"),
        ("PAYMENT_NUMBERING", "random"),
        ("FINANCE_LOG_LEVEL", "LOUD"),
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
