"""What users, other programs and a node do to a real API server, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.status import format_time
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.errors import Conflict, NotFound, Transient
from taskservice_operator.cluster.kinds import Kind
from taskservice_operator.cluster.kube import MERGE_PATCH, KubeApi
from taskservice_operator.cluster.port import Ref

Json = dict[str, Any]
Address = tuple[str, str, str]
NODES, NODE = "/api/v1/nodes", "played"
HEARTBEAT_SECONDS = 5.0
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KINDS = {kind.kind: kind for kind in (*kinds.WATCHED, kinds.EVENT, kinds.LEASE)}


class KubeHands:
    """An administrator.  Addresses are (kind, namespace, name); ``namespace`` is where TaskServices are made."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self.namespace = "default"

    async def establish(self, definition: Mapping[str, Any]) -> None:
        """Install a definition, if it is not there, and wait until it is served."""
        with contextlib.suppress(Conflict):
            await self._api.request("POST", DEFINITIONS, body=definition)

        async def served() -> bool:
            with contextlib.suppress(NotFound, Transient):  # "storage is (re)initializing" is a 429
                await self._api.get(kinds.TASKSERVICE.path(None))
                return True
            return False

        await until(served, "the definition is served")

    async def make_namespace(self) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        await self._api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
        return name

    async def drop_namespace(self, name: str) -> None:
        with contextlib.suppress(NotFound):
            await self._api.request("DELETE", f"/api/v1/namespaces/{name}")

    async def ensure_namespace(self, name: str) -> None:
        with contextlib.suppress(Conflict):
            await self._api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})

    async def make_service_account(self, namespace: str, name: str) -> None:
        """Make a ServiceAccount, if it is not there."""
        body = {"metadata": {"name": name, "namespace": namespace}}
        with contextlib.suppress(Conflict):
            await self._api.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", body=body)

    async def bind_cluster_role(self, role: str, namespace: str, account: str) -> None:
        """Let a ServiceAccount do everywhere what a ClusterRole allows."""
        body = {
            "metadata": {"name": f"{namespace}-{account}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
        }
        with contextlib.suppress(Conflict):
            await self._api.request("POST", BINDINGS, body=body)

    async def token(self, namespace: str, account: str, audience: str | None = None) -> str:
        """A ServiceAccount's token, for the API server itself unless another audience is named."""
        spec = {"expirationSeconds": 7200, **({"audiences": [audience]} if audience else {})}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return (await self._api.request("POST", path, body={"spec": spec}))["status"]["token"]

    async def create_taskservice(self, name: str, spec: Mapping[str, Any], namespace: str | None = None) -> Ref:
        namespace = namespace or self.namespace
        metadata = {"name": name, "namespace": namespace}
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
        await self._api.request("POST", kinds.TASKSERVICE.path(namespace), body=body)
        return Ref(namespace, name)

    async def put(self, manifest: Mapping[str, Any]) -> None:
        kind, namespace = _KINDS[manifest["kind"]], manifest["metadata"]["namespace"]
        await self._api.request("POST", kind.path(namespace), body=manifest)

    async def get(self, address: Address) -> Json | None:
        kind, namespace, name = address
        with contextlib.suppress(NotFound):
            return await self._api.get(_KINDS[kind].path(namespace, name))
        return None

    async def all(self, kind: Kind, namespace: str) -> list[Json]:
        return await self._api.list(kind.path(namespace))

    async def edit(self, address: Address, change: Mapping[str, Any], subresource: str | None = None) -> None:
        kind, namespace, name = address
        path = _KINDS[kind].path(namespace, name, subresource)
        await self._api.request("PATCH", path, body=change, content_type=MERGE_PATCH)

    async def remove(self, address: Address) -> None:
        kind, namespace, name = address
        await self._api.request("DELETE", _KINDS[kind].path(namespace, name))

    async def status(self, ref: Ref) -> Json:
        """A TaskService's status; empty when it has none."""
        taskservice = await self.get((names.KIND, ref.namespace, ref.name))
        return (taskservice or {}).get("status") or {}

    async def condition(self, ref: Ref, kind: str) -> Json:
        conditions = (await self.status(ref)).get("conditions") or ()
        return next((condition for condition in conditions if condition["type"] == kind), {})

    async def versions(self, namespace: str) -> dict[str, str]:
        """The resourceVersion of every object we could write in a namespace: equal means untouched."""
        found = {}
        for kind in (kinds.TASKSERVICE, *kinds.OWNED, kinds.EVENT):
            for manifest in await self.all(kind, namespace):
                found[f"{kind.kind} {manifest['metadata']['name']}"] = manifest["metadata"]["resourceVersion"]
        return found


class Kubelet:
    """A node's part, played: pods run and are ready at once, unless their image says ``crash``."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._addresses = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Kubelet:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task and not self._task.cancel():
            self._task.result()  # it failed: say so, or the test would only see pods that never start

    async def _run(self) -> None:
        with contextlib.suppress(Conflict):
            await self._api.request("POST", NODES, body={"metadata": {"name": NODE}})
        beat_at = 0.0
        while True:
            if time.monotonic() > beat_at:
                beat_at = time.monotonic() + HEARTBEAT_SECONDS
                await self._beat()
            for pod in await self._api.list(kinds.POD.path(self._namespace)):
                with contextlib.suppress(NotFound, Conflict):
                    await self._look_after(pod)
            await asyncio.sleep(0.2)

    async def _beat(self) -> None:
        moment = format_time_now()
        condition = {
            "type": "Ready",
            "status": "True",
            "reason": "Played",
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
        }
        body = {"status": {"conditions": [condition]}}
        await self._api.request("PATCH", f"{NODES}/{NODE}/status", body=body, content_type=MERGE_PATCH)

    async def _look_after(self, pod: Json) -> None:
        path = kinds.POD.path(self._namespace, pod["metadata"]["name"])
        if pod["metadata"].get("deletionTimestamp"):
            await self._api.request("DELETE", path, body={"gracePeriodSeconds": 0})
            return
        if (pod.get("status") or {}).get("podIP"):
            return
        if not pod["spec"].get("nodeName"):
            # Pods without a node get no endpoints.
            body = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": NODE}}
            await self._api.request("POST", f"{path}/binding", body=body)
        self._addresses += 1
        address, moment = f"10.97.0.{self._addresses}", format_time_now()
        ready = "crash" not in pod["spec"]["containers"][0]["image"]
        container = pod["spec"]["containers"][0]
        status: Json = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": moment}
                for kind in ("Initialized", "ContainersReady", "Ready")
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": ready,
                    "restartCount": 0 if ready else 4,
                    "state": {"running": {}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}},
                    **({} if ready else {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}),
                }
            ],
        }
        await self._api.request("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE_PATCH)


@contextlib.asynccontextmanager
async def as_bearer(administrator: KubeApi, token: str, folder: Path) -> AsyncIterator[KubeApi]:
    """A connection to the same API server as whoever a token belongs to."""
    known = await administrator.credentials()
    cluster = {"server": known.server, "certificate-authority": known.ca_path}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "bearer", "user": {"token": token}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "bearer"}}],
        "current-context": "one",
    }
    kubeconfig = folder / "bearer.conf"
    kubeconfig.write_text(json.dumps(content))
    api = await KubeApi.connect(str(kubeconfig))
    try:
        yield api
    finally:
        await api.close()


def format_time_now() -> str:
    return format_time(datetime.now(UTC))


async def until(check: Callable[[], Awaitable[Any]], what: str, seconds: float = 30) -> Any:
    """Wait until ``check`` gives something true, and return it.  Raises AssertionError with ``what``."""
    end = time.monotonic() + seconds
    while True:
        result = await check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.1)
