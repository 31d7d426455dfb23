"""Where values come from, and that secrets do not show."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taskservice.kit.settings import AuthSettings, SettingsError, TasksSettings, load


def test_defaults_follow_the_platform(auth_settings: Callable[..., AuthSettings]) -> None:
    settings = auth_settings()
    assert (settings.port, settings.management_port) == (8000, 9090)
    assert (settings.keep_alive_seconds, settings.graceful_seconds) == (75, 25)
    assert settings.mongo_driver == "motor"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKSERVICE_MONGO_URL", "mongodb://h")
    monkeypatch.setenv("TASKSERVICE_JWKS_URL", "http://auth:8000/.well-known/jwks.json")
    monkeypatch.setenv("TASKSERVICE_REDIS_URL", "")
    assert load(TasksSettings).redis_url is None


def test_the_key_file_wins(auth_settings: Callable[..., AuthSettings], tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b"from the file")
    assert auth_settings(jwt_private_key_file=file).signing_key_pem() == b"from the file"
    with pytest.raises(SettingsError, match="JWT_PRIVATE_KEY_FILE cannot be read"):
        auth_settings(jwt_private_key_file=tmp_path / "absent").signing_key_pem()


def test_secrets_do_not_show(auth_settings: Callable[..., AuthSettings]) -> None:
    settings = auth_settings(mongo_url="mongodb://user:hunter2@h")
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "PRIVATE KEY" not in repr(settings)


def test_settings_do_not_change(auth_settings: Callable[..., AuthSettings]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        auth_settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]
