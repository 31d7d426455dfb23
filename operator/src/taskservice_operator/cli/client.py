"""The user's own door to the cluster: their kubeconfig, their rights, a time-out on every request.

The one place outside ``cluster/`` that talks to an API server; it runs on people's machines, not in the operator.
Plain JSON in and out: typed models would drop the fields they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from taskservice_operator.api import names

Manifest = dict[str, Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
_TASKSERVICES = f"/apis/{names.API_VERSION}"
_DEPLOYMENTS = "/apis/apps/v1"


class ClusterProblem(Exception):
    """A request could not be answered; the text says why and what to do.  ``transient``: trying again may help."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class Cluster:
    """TaskServices and their Deployments, as the user of a kubeconfig may see them.  Close it when done."""

    def __init__(self, connection: client.ApiClient, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Use ``kubeconfig`` (else ``$KUBECONFIG``, else ``~/.kube/config``).  Raises :class:`ClusterProblem`."""
        configuration = client.Configuration()
        configuration.retries = urllib3.Retry(total=0)  # a person waits, and can ask again
        try:
            # The library's own annotation of this call is wrong: it returns mappings.
            listed: tuple[list[Manifest], Manifest] = config.list_kube_config_contexts(kubeconfig)  # type: ignore[assignment]
            contexts, current = listed
            chosen = next((each for each in contexts if each["name"] == context), None) if context else current
            if chosen is None:
                known = ", ".join(sorted(each["name"] for each in contexts))
                raise ClusterProblem(f"there is no context {context!r} in the kubeconfig: it has {known}")
            connection = config.new_client_from_config(
                kubeconfig, context=context, persist_config=False, client_configuration=configuration
            )
        except (config.ConfigException, OSError, TypeError, KeyError) as error:
            raise ClusterProblem(
                f"no usable kubeconfig: {error}. Name one with --kubeconfig or the variable KUBECONFIG"
            ) from error
        return cls(connection, chosen["context"].get("namespace") or "default")

    def get(self, namespace: str, name: str) -> Manifest:
        """One TaskService."""
        path = f"{_TASKSERVICES}/namespaces/{namespace}/{names.PLURAL}/{name}"
        return self._request("GET", path, what=f"TaskService {name} in namespace {namespace}")

    def list(self, namespace: str | None) -> list[Manifest]:
        """The TaskServices of a namespace, or of all."""
        path = f"{_TASKSERVICES}{_within(namespace)}/{names.PLURAL}"
        return sorted(self._items(path, "TaskServices"), key=_address)

    def deployments(self, namespace: str | None, name: str | None = None) -> list[Manifest]:
        """The Deployments that belong to one TaskService, or to all of a namespace, or to all."""
        selector = names.MANAGED_SELECTOR + (f",{names.LABEL_OWNER}={name}" if name else "")
        query = urlencode({"labelSelector": selector})
        return self._items(f"{_DEPLOYMENTS}{_within(namespace)}/deployments?{query}", "Deployments")

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Set annotations of one TaskService, and nothing else."""
        path = f"{_TASKSERVICES}/namespaces/{namespace}/{names.PLURAL}/{name}?fieldManager=kubectl-taskservice"
        self._request("PATCH", path, {"metadata": {"annotations": dict(annotations)}}, what=f"TaskService {name}")

    def close(self) -> None:
        self._connection.close()

    def _items(self, path: str, what: str) -> list[Manifest]:
        return list(self._request("GET", path, what=what).get("items") or ())

    def _request(self, method: str, path: str, body: Manifest | None = None, *, what: str) -> Manifest:
        headers = {"Accept": "application/json", "User-Agent": "kubectl-taskservice"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        self._connection.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            response = self._connection.call_api(
                method,
                self._connection.configuration.host.rstrip("/") + path,
                header_params=headers,
                body=body,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            text = response.read()
        except client.ApiException as error:
            raise _problem(error.status or 0, str(error.reason or ""), what) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            host = self._connection.configuration.host
            raise ClusterProblem(
                f"the cluster at {host} does not answer ({_innermost(error)}): "
                "is it up, and is this the right context?",
                transient=True,
            ) from error
        if response.status >= 400:
            raise _problem(response.status, _message(text), what)
        return json.loads(text)


def _problem(status: int, message: str, what: str) -> ClusterProblem:
    match status:
        case 401:
            return ClusterProblem("the cluster does not know you: log in again, or choose another --context")
        case 403:
            return ClusterProblem(f"you may not do this: {message or what}. Ask for the role view (to look) or edit")
        case 404 if names.PLURAL in message and "not found" in message:
            return ClusterProblem(f"there is no {what}; `kubectl taskservice get -A` shows all")
        case 404:
            return ClusterProblem("this cluster does not know TaskServices: install the chart taskservice-crds")
        case 429 | 500 | 502 | 503 | 504:
            return ClusterProblem(f"the cluster is not well ({status} {message}): try again", transient=True)
    return ClusterProblem(f"the cluster refused ({status}): {message or what}")


def _message(text: bytes | str) -> str:
    try:
        return str(json.loads(text).get("message", ""))
    except (ValueError, AttributeError):
        return text.decode(errors="replace") if isinstance(text, bytes) else text


def _innermost(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost(reason)
    text = str(error)
    return text.rpartition(": ")[2] or type(error).__name__


def _within(namespace: str | None) -> str:
    return f"/namespaces/{namespace}" if namespace else ""


def _address(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]
