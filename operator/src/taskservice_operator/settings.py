"""The operator's own settings: environment variables in, one frozen value out.

Everything has a default that suits a pod in a cluster.  All times are seconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "TASKSERVICE_OPERATOR_"
_POD_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9][-a-zA-Z0-9.]*)(:[0-9]{1,5})?(/[-a-zA-Z0-9._/]*)?")
_MOUNT = re.compile(r"[a-zA-Z0-9_][-a-zA-Z0-9_.]*(/[a-zA-Z0-9_][-a-zA-Z0-9_.]*)*")
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class InvalidSettings(ValueError):
    """A setting cannot be used; the message names the variable and says what it may be."""


@dataclass(frozen=True)
class VaultSettings:
    """Where Vault is and how it is asked.

    ``address`` empty: there is none.  ``auth_mount``: of Kubernetes authentication.  ``audience``: of the tokens that
    ServiceAccounts log in with.  ``ca_file`` empty: the certificates that the system trusts.  ``poll_seconds``: after
    which a secret is read again.  ``concurrency``: requests to Vault at the same time.
    """

    address: str = ""
    auth_mount: str = "kubernetes"
    audience: str = "vault"
    ca_file: str = ""
    poll_seconds: float = 60.0
    concurrency: int = 4


@dataclass(frozen=True)
class Settings:
    """What an operator process needs to know before it starts.

    ``namespaces`` empty means all.  ``rate``/``burst`` bound the passes per second that talk to the API server.
    ``port`` 0 picks a free one.  ``log_format`` is ``json`` or ``plain``.
    """

    namespaces: tuple[str, ...] = ()
    workers: int = 8
    rate: float = 40.0
    burst: int = 80
    resync_seconds: float = 420.0
    leader_election: bool = True
    lease_namespace: str = "default"
    lease_name: str = "taskservice-operator"
    port: int = 8080
    log_format: str = "json"
    log_level: str = "INFO"
    vault: VaultSettings = VaultSettings()


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Read the ``TASKSERVICE_OPERATOR_*`` variables.  Raises :class:`InvalidSettings`.

    ``NAMESPACES`` (comma-separated; empty: all), ``WORKERS``, ``RATE``, ``BURST``, ``RESYNC_SECONDS``,
    ``LEADER_ELECTION``, ``LEASE_NAMESPACE`` (default: the pod's own), ``LEASE_NAME``, ``PORT``,
    ``LOG_FORMAT``, ``LOG_LEVEL``; ``VAULT_ADDRESS``, ``VAULT_AUTH_MOUNT``, ``VAULT_AUDIENCE``, ``VAULT_CA_FILE``,
    ``VAULT_POLL_SECONDS``, ``VAULT_CONCURRENCY``.
    """
    default = Settings()
    return Settings(
        namespaces=_namespaces(env),
        workers=int(_number(env, "WORKERS", default.workers, 1, 64)),
        rate=_number(env, "RATE", default.rate, 0.1, 10_000),
        burst=int(_number(env, "BURST", default.burst, 1, 10_000)),
        resync_seconds=_number(env, "RESYNC_SECONDS", default.resync_seconds, 5, 86_400),
        leader_election=_switch(env, "LEADER_ELECTION", default.leader_election),
        lease_namespace=_text(env, "LEASE_NAMESPACE") or _pod_namespace(env) or default.lease_namespace,
        lease_name=_text(env, "LEASE_NAME") or default.lease_name,
        port=int(_number(env, "PORT", default.port, 0, 65_535)),
        log_format=_choice(env, "LOG_FORMAT", default.log_format, ("json", "plain")),
        log_level=_choice(env, "LOG_LEVEL", default.log_level, ("DEBUG", "INFO", "WARNING", "ERROR")),
        vault=_vault(env),
    )


def _vault(env: Mapping[str, str]) -> VaultSettings:
    default = VaultSettings()
    address, ca_file = _text(env, "VAULT_ADDRESS").rstrip("/"), _text(env, "VAULT_CA_FILE")
    if address and not _ADDRESS.fullmatch(address):
        raise InvalidSettings(f"{PREFIX}VAULT_ADDRESS={address!r}: write it like https://vault.example.com:8200")
    if address and ca_file and not Path(ca_file).is_file():
        raise InvalidSettings(f"{PREFIX}VAULT_CA_FILE={ca_file!r}: there is no such file; mount it, or leave it out")
    auth_mount = _text(env, "VAULT_AUTH_MOUNT").strip("/") or default.auth_mount
    if not _MOUNT.fullmatch(auth_mount):
        raise InvalidSettings(f"{PREFIX}VAULT_AUTH_MOUNT={auth_mount!r}: name it as after auth/ in vault auth list")
    return VaultSettings(
        address=address,
        auth_mount=auth_mount,
        audience=_text(env, "VAULT_AUDIENCE") or default.audience,
        ca_file=ca_file,
        poll_seconds=_number(env, "VAULT_POLL_SECONDS", default.poll_seconds, 1, 86_400),
        concurrency=int(_number(env, "VAULT_CONCURRENCY", default.concurrency, 1, 64)),
    )


def _text(env: Mapping[str, str], name: str) -> str:
    return env.get(PREFIX + name, "").strip()


def _namespaces(env: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(sorted({part.strip() for part in _text(env, "NAMESPACES").split(",")} - {""}))
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise InvalidSettings(f"{PREFIX}NAMESPACES names {name!r}, which cannot be a namespace")
    return names


def _number(env: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = _text(env, name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InvalidSettings(f"{PREFIX}{name}={text!r}: set it to a number from {least:g} to {most:g}")
    return value


def _switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = _text(env, name).lower()
    if text and text not in _YES | _NO:
        raise InvalidSettings(f"{PREFIX}{name}={text!r}: set it to true or false")
    return text in _YES if text else default


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    text = _text(env, name)
    matches = [choice for choice in choices if choice.lower() == text.lower()]
    if text and not matches:
        raise InvalidSettings(f"{PREFIX}{name}={text!r}: set it to one of {', '.join(choices)}")
    return matches[0] if matches else default


def _pod_namespace(env: Mapping[str, str]) -> str:
    if env.get("POD_NAMESPACE"):
        return env["POD_NAMESPACE"]
    try:
        return _POD_NAMESPACE_FILE.read_text().strip()
    except OSError:
        return ""
