"""Configuration is part of a revision: a change is released like code, and a rollback brings the old one back."""

from __future__ import annotations

from testkit.live import Live, an_echo


def a_configmap(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_secret(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


SOURCES = {
    "config": [{"name": "greeting", "configMapRef": {"name": "greeting"}}],
    "secrets": [{"name": "key", "secretRef": {"name": "key"}}],
}


def test_a_changed_configmap_is_released_and_a_rollback_brings_the_old_one_back(live: Live) -> None:
    live.apply(a_configmap("greeting", ECHO_GREETING="hello"), a_secret("key", ECHO_KEY="one"))
    live.apply(an_echo(live.stage, "config", **SOURCES))
    live.wait_ready("config")
    first = live.active("config")
    assert live.answers("config", ECHO_GREETING="hello")

    live.apply(a_configmap("greeting", ECHO_GREETING="good day"))
    live.wait("config", "released anew", lambda f: f["status"]["revisions"]["active"] != first)
    live.wait_ready("config")
    assert live.answers("config", ECHO_GREETING="good day")

    live.plugin("rollback", "config")
    live.wait("config", "rolled back", lambda f: f["status"]["revisions"]["active"] == first)
    assert live.answers("config", ECHO_GREETING="hello", ECHO_KEY="one")
    assert live.condition("config", "Ready")["reason"] == "RolledBack"


def test_a_changed_secret_is_released_too(live: Live) -> None:
    live.wait_phase("config", "Failed")
    live.apply(a_secret("key", ECHO_KEY="two"))
    live.wait_ready("config")
    assert live.answers("config", ECHO_KEY="two")
    assert live.answers("config", ECHO_GREETING="good day")


def test_an_unknown_configmap_is_named_and_the_release_goes_on_once_it_exists(live: Live) -> None:
    live.apply(an_echo(live.stage, "late", config=[{"name": "later", "configMapRef": {"name": "later"}}]))
    found = live.wait("late", "blocked", lambda f: f["status"].get("blockedOn", {}).get("name") == "later")
    assert "create it" in found["status"]["blockedOn"]["message"]
    assert live.condition("late", "Ready")["status"] == "False"
    assert live.list("deployments", "-l", "taskservice.dev/name=late") == []
    live.apply(a_configmap("later", ECHO_GREETING="at last"))
    live.wait_ready("late")
    assert live.answers("late", ECHO_GREETING="at last")


def test_files_are_mounted_where_asked(live: Live) -> None:
    source = "import json,sys;print(open('/etc/echo/text').read())"
    live.apply(
        an_echo(
            live.stage,
            "files",
            config=[{"name": "files", "data": {"text": "from a file"}, "mountPath": "/etc/echo"}],
        )
    )
    live.wait_ready("files")
    pod = live.list("pods", "-l", "taskservice.dev/name=files")[0]["metadata"]["name"]
    assert live.kubectl("exec", pod, "--", "python3", "-c", source).strip() == "from a file"
