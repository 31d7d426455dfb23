"""What an open Vault holds, seen and changed as `plan` asks for it. Somebody must be logged in on the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import hvac.exceptions

from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault import plan, values
from taskservice_keeper.vault.desired import OF_KUBERNETES, Desired, Text
from taskservice_keeper.vault.plan import Observed, Step
from taskservice_keeper.vault.server import Server

# (namespace, name) -> the fields of a Kubernetes Secret, None when there is none.
SecretReader = Callable[[str, str], Mapping[str, str] | None]


class Contents:
    """What one server holds of what is desired; `kubernetes` reads the Secrets that texts quote."""

    def __init__(self, server: Server, desired: Desired, kubernetes: SecretReader) -> None:
        self._server = server
        self._client = server.client
        self._desired = desired
        self._kubernetes = kubernetes

    def observe(self) -> Observed:
        """Look at everything that `desired` speaks of. Raises KeeperError."""
        desired = self._desired
        with self._server.asked("what it holds"):
            engines = self._mounts(self._client.sys.list_mounted_secrets_engines())
            methods = self._mounts(self._client.sys.list_auth_methods())
            devices = self._client.sys.list_enabled_audit_devices()
            names = self._client.sys.list_acl_policies()["data"]["keys"]
            texts = {name: self._client.sys.read_acl_policy(name)["data"]["policy"] for name in names if name != "root"}
            auth, has_auth = desired.auth_mount, methods.get(desired.auth_mount) == "kubernetes"
            has_kv = engines.get(desired.kv_mount) == "kv2"
            config = self._read(f"auth/{auth}/config") if has_auth else None
            roles = self._read_all(f"auth/{auth}/role") if has_auth else {}
            held = {path: self.secret(path) or {} for path in desired.secrets} if has_kv else {}
            return Observed(
                engines=engines,
                auth_methods=methods,
                audit_devices=frozenset(
                    "stdout" for device in devices["data"].values() if device["options"].get("file_path") == "stdout"
                ),
                kubernetes_host=(config or {}).get("kubernetes_host"),
                policies=texts,
                roles=roles,
                fields={path: frozenset(fields) for path, fields in held.items()},
                stale=self._stale(held),
            )

    def apply(self, step: Step, entropy: values.Entropy) -> None:
        """Do one step. Raises KeeperError."""
        with self._server.asked(f"to {step}"):
            self._apply(step, entropy)

    def _apply(self, step: Step, entropy: values.Entropy) -> None:
        system, name, settings = self._client.sys, step.name, dict(step.settings)
        auth = f"auth/{self._desired.auth_mount}"
        if step.kind == plan.ENABLE_AUDIT:
            system.enable_audit_device("file", path=name, options={"file_path": "stdout"})
        elif step.kind == plan.ENABLE_ENGINE:
            system.enable_secrets_engine("kv", path=name, options={"version": "2"})
        elif step.kind == plan.ENABLE_AUTH:
            system.enable_auth_method("kubernetes", path=name)
        elif step.kind == plan.CONFIGURE_KUBERNETES:
            self._write(f"{auth}/config", self._kubernetes_config())
        elif step.kind == plan.WRITE_POLICY:
            system.create_or_update_acl_policy(name, settings["policy"])
        elif step.kind == plan.WRITE_ROLE:
            self._write(f"{auth}/role/{name}", settings)
        elif step.kind == plan.WRITE_SECRET:
            self._write_fields(name, settings, entropy)
        elif step.kind == plan.REMOVE_ROLE:
            self._client.adapter.delete(f"/v1/{auth}/role/{name}")
        elif step.kind == plan.REMOVE_POLICY:
            system.delete_policy(name)
        else:
            raise AssertionError(step.kind)

    def secret(self, path: str) -> dict[str, str] | None:
        """Return the fields of a KV path, None when there is none."""
        return (self._read(f"{self._desired.kv_mount}/data/{path}") or {}).get("data")

    def _kubernetes_config(self) -> dict[str, Any]:
        desired = self._desired
        config: dict[str, Any] = {"kubernetes_host": desired.kubernetes_host}
        if desired.kubernetes_ca_file:
            config["kubernetes_ca_cert"] = desired.kubernetes_ca_file.read_text()
        if desired.reviewer_token_file:
            config["token_reviewer_jwt"] = desired.reviewer_token_file.read_text().strip()
        return config

    def _write_fields(self, path: str, recipes: Mapping[str, Any], entropy: values.Entropy) -> None:
        """Write fields on top of the version that was read: one that somebody else writes meanwhile is not lost."""
        place = f"{self._desired.kv_mount}/data/{path}"
        found = self._read(place) or {}
        present: dict[str, str] = found.get("data") or {}
        version = int((found.get("metadata") or {}).get("version", 0))
        made = {
            name: values.make(recipe, entropy, self._value)
            for name, recipe in recipes.items()
            if name not in present or isinstance(recipe, Text)
        }
        if made:
            self._write(place, {"data": {**present, **made}, "options": {"cas": version}})

    def _stale(self, held: Mapping[str, Mapping[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset(
            (path, name)
            for path, fields in self._desired.secrets.items()
            for name, recipe in fields.items()
            if isinstance(recipe, Text) and recipe.follows and name in held.get(path, {})
            if held[path][name] != values.fill(recipe, self._value)
        )

    def _value(self, place: str, field: str) -> str:
        """Return a value that a text quotes. Raises NotYet where a Kubernetes Secret has yet to be made."""
        if place.startswith(OF_KUBERNETES):
            namespace, _, name = place.removeprefix(OF_KUBERNETES).partition("/")
            found = (self._kubernetes(namespace, name) or {}).get(field)
            if found is None:
                raise NotYet(f"The Secret {namespace}/{name} has no key {field}: is the data stack up?")
            return found.strip()
        found = (self.secret(place) or {}).get(field)
        if found is None:
            raise KeeperError(f"{place} has no field {field} any more; run the bootstrap again.")
        return found

    def _mounts(self, answer: Mapping[str, Any]) -> dict[str, str]:
        """Type by path; of a key-value store with its version."""
        found = {}
        for path, mount in answer["data"].items():
            version = (mount.get("options") or {}).get("version") if mount["type"] == "kv" else None
            found[path.rstrip("/")] = f"kv{version}" if version else mount["type"]
        return found

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            answer = self._client.adapter.get(f"/v1/{path}")
        except hvac.exceptions.InvalidPath:
            return None
        return answer["data"]

    def _read_all(self, path: str) -> dict[str, dict[str, Any]]:
        try:
            names = self._client.adapter.list(f"/v1/{path}")["data"]["keys"]
        except hvac.exceptions.InvalidPath:
            return {}
        return {name: self._read(f"{path}/{name}") or {} for name in names}

    def _write(self, path: str, body: Mapping[str, Any]) -> None:
        self._client.adapter.post(f"/v1/{path}", json=dict(body))
