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
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({name: value})


def test_a_password_is_never_shown() -> None:
    config = Config.from_env({"MONGODB_URI": "mongodb://user:secret@db.example/?tls=true"})

    assert "secret" not in repr(config)
    assert config.address == "mongodb://db.example/?tls=true"


def test_no_other_origin_is_allowed_unless_one_is_named() -> None:
    assert Config.from_env({}).cors_origins == ()
    assert Config.from_env({"FINANCE_CORS_ORIGINS": " , "}).cors_origins == ()


def test_origins_are_taken_as_browsers_send_them() -> None:
    named = "https://app.example.com, http://localhost:5173,http://[::1]:3000,https://xn--bcher-kva.example"

    assert Config.from_env({"FINANCE_CORS_ORIGINS": named}).cors_origins == (
        "https://app.example.com",
        "http://localhost:5173",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("*", "every page there is"),
        ("https://app.example.com,*", "every page there is"),
        ("https://app.example.com/", "which is https://app.example.com$"),
        ("https://app.example.com/login?a=b", "which is https://app.example.com$"),
        ("https://app.example.com:443", "which is https://app.example.com$"),
        ("http://localhost:80", "which is http://localhost$"),
        ("https://App.Example.com", "which is https://app.example.com$"),
        ("https://bücher.example", "which is https://xn--bcher-kva.example$"),
        ("https://user:secret@app.example.com", "which is https://app.example.com$"),
        ("https://a.example;https://b.example", "such as"),
        ("https://*.example.com", "such as"),
        ("app.example.com", "such as"),
        ("https://app.example.com:port", "such as"),
        ("ftp://app.example.com", "such as"),
        ("null", "such as"),
        ("https://", "such as"),
    ],
)
def test_what_is_not_an_origin_is_told_what_would_be_right(value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"FINANCE_CORS_ORIGINS.*{told}") as refused:
        Config.from_env({"FINANCE_CORS_ORIGINS": value})

    assert "secret" not in str(refused.value)
