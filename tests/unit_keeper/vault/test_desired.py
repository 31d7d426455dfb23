"""What may be asked of the bootstrap, and what is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault import desired


def refused(tmp_path: Path, **settings: Any) -> str:
    file = tmp_path / "desired.json"
    file.write_text(json.dumps(settings))
    with pytest.raises(KeeperError) as told:
        desired.load(file)
    return str(told.value)


def test_a_service_has_one_path_and_one_role_named_after_namespace_and_account() -> None:
    service = desired.Service(namespace="apps", service_account="auth")
    assert (service.role, service.path) == ("apps-auth", "taskservices/apps/auth")


def test_two_services_that_would_share_a_role_are_refused(tmp_path: Path) -> None:
    services = [
        {"namespace": "a-b", "service_account": "c"},
        {"namespace": "a", "service_account": "b-c"},
    ]
    assert "two services share the role a-b-c" in refused(tmp_path, services=services)


def test_a_text_may_quote_what_is_made_and_secrets_of_kubernetes_and_nothing_else(tmp_path: Path) -> None:
    def secrets(text: str) -> dict[str, Any]:
        return {"a": {"password": {"kind": "password"}, "url": {"kind": "text", "text": text}}}

    good = desired.Desired.model_validate({"secrets": secrets("x${a#password}${secret:data/mongodb-admin#password}")})
    recipe = good.secrets["a"]["url"]
    assert isinstance(recipe, desired.Text)
    assert recipe.references == [("a", "password"), ("secret:data/mongodb-admin", "password")]
    assert recipe.follows
    assert "a#url refers to b#password, which nothing makes" in refused(tmp_path, secrets=secrets("${b#password}"))
    assert "which is a text itself" in refused(tmp_path, secrets=secrets("${a#url}"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kv_mount": "Secret"}, "kv_mount: String should match"),
        ({"unknown": 1}, "unknown: Extra inputs are not permitted"),
        ({"secrets": {"../x": {}}}, "String should match"),
        ({"secrets": {"a": {"b": {"kind": "uuid"}}}}, "does not match any of the expected tags"),
    ],
)
def test_what_is_odd_is_named(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(tmp_path, **settings)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeeperError, match="cannot be read"):
        desired.load(tmp_path / "absent.json")
