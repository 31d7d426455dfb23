"""The Kubernetes API as far as the keeper needs it: keys in a Secret, other Secrets read, records in ConfigMaps.

The only module that imports the client. Errors come out as KeeperError, NotYet where waiting may help, and never with a
body: it could hold a secret.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from taskservice_keeper.backup.record import Record
from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault.keys import Keys

TIMEOUT = (5, 15)
LABELS = {"app.kubernetes.io/managed-by": "taskservice-keeper", "app.kubernetes.io/part-of": "taskservice"}
SHARES, PASSING = "shares", "passing-shares"


def connect(kubeconfig: Path | None = None) -> CoreV1Api:
    """Return the API, as the pod's ServiceAccount or by a kubeconfig. Raises KeeperError where there is neither."""
    configuration = client.Configuration()
    try:
        if kubeconfig:
            config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise KeeperError(
            "No Kubernetes API is known: this command runs in a pod with a ServiceAccount, or takes --kubeconfig."
        ) from None
    return CoreV1Api(client.ApiClient(configuration))


class SecretKeyStore:
    """Keys in a Secret that RBAC gives to the bootstrap and the unsealer alone."""

    def __init__(self, api: CoreV1Api, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    def load(self) -> Keys | None:
        return self._keys(SHARES)

    def load_passing(self) -> Keys | None:
        return self._keys(PASSING)

    def prepare(self) -> None:
        """Make the Secret, empty, so that keys are made only when there is a place for them."""
        if self._read() is None:
            body = _secret(self._namespace, self._name, {})
            with _asked(f"to create the Secret {self._namespace}/{self._name}"):
                self._api.create_namespaced_secret(self._namespace, body, _request_timeout=TIMEOUT)

    def save(self, keys: Keys) -> None:
        present = self.load()
        if present is not None and present.shares != keys.shares:
            raise KeeperError(f"The Secret {self._namespace}/{self._name} holds other keys; they are not overwritten.")
        self._patch({SHARES: "\n".join(keys.shares)})

    def save_passing(self, keys: Keys | None) -> None:
        if keys is not None or self.load_passing() is not None:
            self._patch({PASSING: "\n".join(keys.shares) if keys else None})

    def _keys(self, field: str) -> Keys | None:
        shares = tuple((self._read() or {}).get(field, "").split())
        return Keys(shares) if shares else None

    def _read(self) -> dict[str, str] | None:
        return read_secret(self._api, self._namespace, self._name)

    def _patch(self, fields: Mapping[str, str | None]) -> None:
        data = {name: None if value is None else _encoded(value) for name, value in fields.items()}
        with _asked(f"to update the Secret {self._namespace}/{self._name}"):
            self._api.patch_namespaced_secret(self._name, self._namespace, {"data": data}, _request_timeout=TIMEOUT)


def read_secret(api: CoreV1Api, namespace: str, name: str) -> dict[str, str] | None:
    """Return a Secret's fields as text, None when there is no such Secret."""
    with _asked(f"for the Secret {namespace}/{name}"):
        try:
            found: Any = api.read_namespaced_secret(name, namespace, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
    return {key: base64.b64decode(value).decode() for key, value in (found.data or {}).items()}


def read_record(api: CoreV1Api, namespace: str, name: str) -> Record:
    """Return the record in a ConfigMap, one of nothing when there is none."""
    with _asked(f"for the ConfigMap {namespace}/{name}"):
        try:
            found: Any = api.read_namespaced_config_map(name, namespace, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status == 404:
                return Record()
            raise
    return Record.from_data(found.data or {})


def write_record(api: CoreV1Api, namespace: str, name: str, record: Record) -> None:
    """Keep a record in a ConfigMap, made when absent."""
    body: Any = {"metadata": {"name": name, "namespace": namespace, "labels": LABELS}, "data": record.as_data()}
    with _asked(f"to write the ConfigMap {namespace}/{name}"):
        try:
            api.patch_namespaced_config_map(name, namespace, body, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status != 404:
                raise
            api.create_namespaced_config_map(namespace, body, _request_timeout=TIMEOUT)


def _secret(namespace: str, name: str, fields: Mapping[str, str]) -> Any:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "type": "Opaque",
        "data": {key: _encoded(value) for key, value in fields.items()},
    }


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@contextmanager
def _asked(what: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        sentence = f"The Kubernetes API was asked {what} and answered {error.status} {error.reason}."
        if error.status == 429 or (error.status or 500) >= 500:
            raise NotYet(sentence) from None
        if error.status == 403:
            raise KeeperError(f"{sentence} The ServiceAccount's Role must allow it.") from None
        raise KeeperError(sentence) from None
    except (HTTPError, OSError) as error:
        raise NotYet(f"The Kubernetes API was asked {what}: {type(error).__name__}.") from None
