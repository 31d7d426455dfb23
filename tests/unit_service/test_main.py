"""A configuration that cannot work ends in one sentence and exit status 1, and never shows a value."""

import pytest

from taskservice.__main__ import main


def run(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main([command])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return status, captured.err


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("auth", ["TASKSERVICE_MONGO_URL"]),
        ("tasks", ["TASKSERVICE_MONGO_URL", "TASKSERVICE_JWKS_URL"]),
        ("migrate", ["TASKSERVICE_MONGO_URL"]),
        ("worker", ["TASKSERVICE_MONGO_URL", "TASKSERVICE_BUS_URL"]),
        ("replay", ["TASKSERVICE_MONGO_URL", "TASKSERVICE_BUS_URL"]),
    ],
)
def test_missing_settings_are_named(command: str, missing: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, sentence = run(command, capsys)
    assert status == 1
    assert sentence.startswith(f"taskservice {command} cannot start: ")
    for name in missing:
        assert f"{name} is not set" in sentence


def test_a_missing_key_names_both_ways_to_give_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKSERVICE_MONGO_URL", "mongodb://h")
    status, sentence = run("auth", capsys)
    assert status == 1
    assert "TASKSERVICE_JWT_PRIVATE_KEY_FILE or TASKSERVICE_JWT_PRIVATE_KEY" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASKSERVICE_JWT_PRIVATE_KEY", "hunter2-not-a-key"),
        ("TASKSERVICE_JWT_PRIVATE_KEY_FILE", "/nowhere/hunter2"),
        ("TASKSERVICE_PORT", "hunter2"),
        ("TASKSERVICE_PORT", "70000"),
        ("TASKSERVICE_MONGO_DRIVER", "hunter2"),
        ("TASKSERVICE_LOG_LEVEL", "LOUD"),
        ("TASKSERVICE_TRUSTED_PROXIES", "10.0.0.0/8,hunter2"),
        ("TASKSERVICE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TASKSERVICE_LIMIT_LOGIN_PER_ACCOUNT", "hunter2"),
        ("TASKSERVICE_JWT_PUBLISHED_KEYS", "hunter2"),
        ("TASKSERVICE_JWT_PUBLISHED_KEYS_FILE", "/nowhere/hunter2"),
    ],
)
def test_an_invalid_setting_is_named_but_not_shown(
    name: str, value: str, pem: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKSERVICE_MONGO_URL", "mongodb://h")
    monkeypatch.setenv("TASKSERVICE_JWT_PRIVATE_KEY", pem.decode())
    monkeypatch.setenv(name, value)
    status, sentence = run("auth", capsys)
    assert status == 1
    assert name in sentence
    assert "hunter2" not in sentence


def test_equal_ports_are_refused(
    pem: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKSERVICE_MONGO_URL", "mongodb://h")
    monkeypatch.setenv("TASKSERVICE_JWT_PRIVATE_KEY", pem.decode())
    monkeypatch.setenv("TASKSERVICE_PORT", "9090")
    status, sentence = run("auth", capsys)
    assert status == 1
    assert "must differ" in sentence


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["crash"])
    assert exit_.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["hunter2", "amqp://", "http://hunter2", "kafka://[hunter2"])
def test_an_address_of_no_broker_is_refused_without_being_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASKSERVICE_MONGO_URL", "mongodb://h")
    monkeypatch.setenv("TASKSERVICE_BUS_URL", url)
    status, sentence = run("replay", capsys)
    assert status == 1
    assert "TASKSERVICE_BUS_URL is not a usable broker address" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("limit", ["0", "10001", "1000000000", "-1", "many", "9" * 5000])
def test_the_number_of_dead_letters_to_replay_is_bounded(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["replay", f"--limit={limit}"])
    assert exit_.value.code == 2
    assert "must be a whole number from 1 to 10000" in capsys.readouterr().err
