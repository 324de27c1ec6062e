"""Settings: their defaults, and what a wrong one is told."""

import base64
from pathlib import Path

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
        ("FINANCE_TIMEZONE", "localtime"),
        ("FINANCE_TIMEZONE", "right/UTC"),
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
    assert config.address == "mongodb://db.example/"


@pytest.mark.parametrize("user", ["", "user:secret@", "user:se/cret@", "user:secret@@"])
@pytest.mark.parametrize(
    "option", ["tlsCertificateKeyFilePassword=secret", "authMechanismProperties=AWS_SESSION_TOKEN:secret@x"]
)
def test_secrets_in_the_options_of_the_uri_are_not_shown_either(user: str, option: str) -> None:
    assert Config(mongodb_uri=f"mongodb://{user}db.example:27018/?{option}").address == "mongodb://db.example:27018/"


@pytest.mark.parametrize("name", ["MONGODB_URI", "FINANCE_ENCRYPTION_KEY"])
@pytest.mark.parametrize("value", ["mongodb://user:s3cret@db\n.example/", "s3cret\rs3cret", "s3cret\u2028s3cret"])
def test_a_line_break_inside_a_secret_is_named_and_the_secret_is_not(tmp_path: Path, name: str, value: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(f"{value}\n".encode())

    for setting, given in ((name, value), (f"{name}_FILE", str(file))):
        with pytest.raises(ConfigError, match=f"^{setting} has a line break inside") as refused:
            Config.from_env({setting: given})
        assert "s3cret" not in str(refused.value)


def test_an_unescaped_slash_that_looks_like_a_port_is_told() -> None:
    with pytest.raises(ConfigError, match=r"MONGODB_URI can't be read.*%2F") as refused:
        Config.from_env({"MONGODB_URI": "mongodb://user:12/s3cret@db.example"})

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, ending: str) -> None:
    uri, key = tmp_path / "uri", tmp_path / "key"
    uri.write_bytes(f"mongodb://user:secret@db.example/{ending}".encode())
    key.write_bytes(base64.b64encode(bytes(96)) + ending.encode())

    config = Config.from_env({"MONGODB_URI_FILE": str(uri), "FINANCE_ENCRYPTION_KEY_FILE": str(key)})

    assert config.mongodb_uri == "mongodb://user:secret@db.example/"
    assert config.encryption_keys == (bytes(96),)


@pytest.mark.parametrize("name", ["MONGODB_URI", "FINANCE_ENCRYPTION_KEY"])
@pytest.mark.parametrize(
    ("content", "advice"), [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff", "not a text")]
)
def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, name: str, content: bytes | None, advice: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=rf"{name}_FILE=.*secret.*{advice}"):
        Config.from_env({f"{name}_FILE": str(file)})


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MONGODB_URI_FILE=.*can't be read"):
        Config.from_env({"MONGODB_URI_FILE": str(tmp_path)})


@pytest.mark.parametrize("name", ["MONGODB_URI", "FINANCE_ENCRYPTION_KEY"])
def test_a_secret_and_its_file_together_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} and {name}_FILE are both set"):
        Config.from_env({name: "mongodb://db.example/", f"{name}_FILE": str(tmp_path / "secret")})


def test_what_is_wrong_in_a_file_is_told_without_what_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret")

    for name in ("MONGODB_URI", "FINANCE_ENCRYPTION_KEY"):
        with pytest.raises(ConfigError, match=f"{name}_FILE must") as failure:
            Config.from_env({f"{name}_FILE": str(file)})
        assert "s3cret" not in str(failure.value)


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
