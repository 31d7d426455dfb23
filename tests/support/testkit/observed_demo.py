"""Everything that is observed, running for real on this machine: services, stores, an operator, and a Prometheus.

auth, tasks and worker run as processes on a real MongoDB, Redis and RabbitMQ; an operator process looks after their
TaskServices on a real API server, where a kubelet is played.  A bounded load is played, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskservice.database import INDEXES
from taskservice.kit import mongo
from taskservice.kit.settings import AuthSettings
from taskservice_observability.build import GENERATED
from taskservice_observability.scraping import configuration
from taskservice_operator.api import crd
from taskservice_operator.cluster.kube import KubeApi
from taskservice_operator.cluster.port import Ref
from testkit.kube_hands import KubeHands, Kubelet, until
from testkit.mongod import ReplicaSet, free_port
from testkit.operator_process import OperatorProcess
from testkit.prometheus_server import PrometheusServer
from testkit.rabbitmq import RabbitServer
from testkit.redis_server import RedisServer
from testkit.service_process import Process

ROOT = Path(__file__).resolve().parents[3]
T = TypeVar("T")

SLO = {"availability": "99.9", "latency": {"percentile": 99, "milliseconds": 300}}
SERVICES = ("auth", "tasks", "worker")
LOAD_SECONDS = 45.0
STEP_SECONDS = 2


class Fleet:
    """TaskServices on an API server, an operator process, and the played kubelet: an event loop in a thread."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._kubeconfig, self._folder = kubeconfig, folder
        self._stack = contextlib.AsyncExitStack()
        self.namespace = ""

    def call(self, work: Coroutine[Any, Any, T], seconds: float = 240) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def __enter__(self) -> Fleet:
        self._thread.start()
        try:
            self.call(self._begin())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _begin(self) -> None:
        api = await KubeApi.connect(str(self._kubeconfig))
        self._stack.push_async_callback(api.close)
        self._hands = KubeHands(api)
        await self._hands.establish(crd.build_crd())
        self.namespace = self._hands.namespace = await self._hands.make_namespace()
        self._stack.push_async_callback(self._hands.drop_namespace, self.namespace)
        await self._stack.enter_async_context(Kubelet(api, self.namespace))
        settings = {"NAMESPACES": self.namespace, "LEASE_NAMESPACE": self.namespace}
        self._operator = OperatorProcess(self._kubeconfig, self._folder / "operator.log", settings)
        self._stack.callback(self._operator.kill)
        await self._operator.ready()
        for name in (*SERVICES, "shop"):
            await self._hands.create_taskservice(name, {"image": f"{name}:v1", "slo": SLO}, self.namespace)
        broken = {"image": "crash:v1", "rollout": {"progressDeadlineSeconds": 5}}
        await self._hands.create_taskservice("broken", broken, self.namespace)
        for name in (*SERVICES, "shop"):
            await self._is(name, "Stable")
        await self._is("broken", "Failed")
        # One release stays under way, waiting for a person.
        change = {"spec": {"image": "shop:v2", "rollout": {"blueGreen": {"autoPromotion": False}}}}
        await self._hands.edit(("TaskService", self.namespace, "shop"), change)
        await self._is("shop", "Verifying")

    async def _is(self, name: str, phase: str) -> None:
        async def reached() -> bool:
            return (await self._hands.status(Ref(self.namespace, name))).get("phase") == phase

        await until(reached, f"{name} is in phase {phase}", 120)

    def touch(self, number: int) -> None:
        """Promise something else for a TaskService: the operator has rules to write, and nothing to release."""
        change = {"spec": {"slo": {"latency": {"milliseconds": 300 + 200 * (number % 2)}}}}
        self.call(self._hands.edit(("TaskService", self.namespace, "shop"), change))

    def revision(self, name: str) -> str:
        """The active revision of a TaskService."""
        return self.call(self._hands.status(Ref(self.namespace, name)))["revisions"]["active"]

    def objective_rules(self) -> list[dict[str, Any]]:
        """Rule groups that the operator has written for the TaskServices."""

        async def read() -> list[Any]:
            maps = [await self._hands.get(("ConfigMap", self.namespace, f"{name}-slo-rules")) for name in SERVICES]
            return [json.loads(text)["groups"] for found in maps if found for text in found["data"].values()]

        return [group for groups in self.call(read()) for group in groups]

    @property
    def metrics_address(self) -> str:
        port = next(line["port"] for line in self._operator.lines if line["event"] == "operator_started")
        return f"127.0.0.1:{port}"


class ObservedDemo:
    """A context manager: on entry all of it runs and the load has been played."""

    def __init__(self, kubeconfig: Path, folder: Path, otlp_endpoint: str) -> None:
        self._folder, self._stack = folder, contextlib.ExitStack()
        self._kubeconfig, self._otlp = kubeconfig, otlp_endpoint
        self.processes: dict[str, Process] = {}
        self.began = self.ended = 0.0

    def __enter__(self) -> ObservedDemo:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        enter = self._stack.enter_context
        database = enter(ReplicaSet(self._made("mongo"), members=1))
        cache = enter(RedisServer(self._made("redis")))
        self.broker = enter(RabbitServer(self._made("rabbitmq"), metrics=True))
        self.fleet = enter(Fleet(self._kubeconfig, self._made("operator")))
        self._serve(database.url, cache.url)
        self.prometheus = enter(PrometheusServer(self._made("prometheus"), self._configuration()))
        self.began = time.time()
        self._play()
        self.ended = time.time()

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _serve(self, mongo_url: str, redis_url: str) -> None:
        """auth, tasks and worker, each with the revision that the operator has given it."""
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        token, grpc = secrets.token_hex(32), free_port()
        common = {
            "TASKSERVICE_MONGO_URL": mongo_url,
            "TASKSERVICE_MONGO_TIMEOUT_SECONDS": "20",
            "TASKSERVICE_REDIS_URL": redis_url,
            "TASKSERVICE_REDIS_TIMEOUT_SECONDS": "5",
            "TASKSERVICE_DIRECTORY_TOKEN": token,
            "TASKSERVICE_DIRECTORY_TIMEOUT_SECONDS": "20",
            "TASKSERVICE_DIRECTORY_ATTEMPT_SECONDS": "10",
            "TASKSERVICE_DIRECTORY_CACHE_SECONDS": "1",
            "TASKSERVICE_OTLP_ENDPOINT": self._otlp,
            "TASKSERVICE_TRACE_RATIO": "1",
            "TASKSERVICE_ARGON2_MEMORY_KIB": "8",
            "TASKSERVICE_ARGON2_TIME_COST": "1",
            "TASKSERVICE_JWT_PRIVATE_KEY": pem,
        }
        asyncio.run(migrated(mongo_url, pem))
        logs = self._made("services")
        own: dict[str, dict[str, str]] = {
            "auth": {"TASKSERVICE_GRPC_PORT": str(grpc)},
            "tasks": {"TASKSERVICE_DIRECTORY_GRPC": f"127.0.0.1:{grpc}"},
            "worker": {"TASKSERVICE_BUS_URL": self.broker.url},
        }
        for name in SERVICES:
            if name == "tasks":
                auth = self.processes["auth"]
                own[name] |= {
                    "TASKSERVICE_JWKS_URL": f"{auth.url}/.well-known/jwks.json",
                    "TASKSERVICE_DIRECTORY_HTTP_URL": auth.management_url,
                }
            revision = {"TASKSERVICE_REVISION": self.fleet.revision(name)}
            process = Process(name, logs, common | own[name] | revision)
            self._stack.callback(process.kill)
            self.processes[name] = process
        for process in self.processes.values():
            process.wait_until_ready(180)

    def _configuration(self) -> dict[str, Any]:
        def target(address: str, **labels: str) -> dict[str, Any]:
            return {"targets": [address], "labels": labels}

        targets = {
            "taskservice": [
                target(
                    f"127.0.0.1:{process.management_port}",
                    namespace=self.fleet.namespace, taskservice=name, pod=f"{name}-0",
                    revision=self.fleet.revision(name), colour="blue",
                )
                for name, process in self.processes.items()
            ],
            "taskservice-operator": [target(self.fleet.metrics_address, pod="operator-0")],
            "rabbitmq": [target(f"127.0.0.1:{self.broker.metrics_port}", pod="rabbitmq-0")],
        }  # fmt: skip
        rules = self._made("prometheus") / "objectives.yaml"
        # As the operator wrote them, but at the pace of this test.
        groups = [{**group, "interval": f"{STEP_SECONDS}s"} for group in self.fleet.objective_rules()]
        rules.write_text(json.dumps({"groups": groups}))
        generated = ROOT / GENERATED / "rules" / "*.yaml"
        return configuration(
            grafana="http://grafana", runbooks="http://runbooks", alertmanager="", interval=f"{STEP_SECONDS}s",
            targets=targets, rule_files=(str(generated), str(rules)),
        )  # fmt: skip

    def _play(self) -> None:
        """Two people who do what people do, and some of what they should not; ends by itself."""
        auth, tasks = self.processes["auth"], self.processes["tasks"]
        people = [{"email": f"{name}@example.com", "password": "correct-horse-battery"} for name in ("ann", "bob")]
        with httpx2.Client(timeout=60) as client:
            ids = [
                client.post(f"{auth.url}/v1/auth/register", json=who).raise_for_status().json()["id"] for who in people
            ]
            answer = client.post(f"{auth.url}/v1/auth/login", json=people[0]).raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            end, turn = time.monotonic() + LOAD_SECONDS, 0
            while time.monotonic() < end:
                turn += 1
                body = {"title": f"task {turn}", "assignee": ids[turn % 2]}
                made = client.post(f"{tasks.url}/v1/tasks", json=body).raise_for_status()
                path = f"{tasks.url}{made.headers['location']}"
                for _ in range(3):
                    client.get(f"{tasks.url}/v1/tasks").raise_for_status()
                client.get(path).raise_for_status()
                client.patch(path, json={"title": f"task {turn}, changed"}).raise_for_status()
                client.get(f"{auth.url}/v1/auth/me").raise_for_status()
                assert client.get(f"{tasks.url}/v1/nowhere").status_code == 404
                if turn % 5 == 0:
                    self.fleet.touch(turn)
                time.sleep(0.2)


async def migrated(mongo_url: str, pem: str) -> None:
    """Make the indexes, as `python -m taskservice migrate` does."""
    values: dict[str, Any] = {"mongo_url": mongo_url, "jwt_private_key": pem, "mongo_timeout_seconds": 30}
    connected = mongo.connect(AuthSettings(**values))
    try:
        await connected.ensure_indexes(INDEXES)
    finally:
        await connected.close()
