"""The user directory between real processes: both ways to ask, who is let in, and what happens when servers go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from taskservice.directory import server
from taskservice.directory.cards import MAX_IDS, PATH, UserCard
from taskservice.directory.client import RemoteDirectory
from taskservice.directory.targets import GrpcTarget, HttpTarget, NoAnswer, Refused, Target
from taskservice.directory.v1 import directory_pb2 as v1
from taskservice.directory.v1.directory_pb2_grpc import UserDirectoryStub
from taskservice.kit import grpc as kit_grpc
from taskservice.kit.health import Health
from taskservice.kit.metrics import Metrics
from taskservice.kit.service_token import ServiceToken, header
from testkit.mongod import free_port
from testkit.service_process import Process
from testkit.tcp_switch import TcpSwitch

pytestmark = pytest.mark.anyio

StartService = Callable[..., Process]
TOKEN, OLD = SecretStr("t" * 40), SecretStr("o" * 40)
ANN = {"email": "ann@example.com", "password": "correct-horse-battery", "display_name": "Ann"}
BOB = {"email": "bob@example.com", "password": "correct-horse-battery"}


@pytest.fixture
def driver() -> str:
    return "pymongo"


class Auth:
    """An auth process that serves the directory."""

    def __init__(self, start_service: StartService, port: int | None = None, **environment: str) -> None:
        self.grpc = f"127.0.0.1:{port or free_port()}"
        self.process = start_service(
            "auth",
            TASKSERVICE_DIRECTORY_TOKEN=TOKEN.get_secret_value(),
            TASKSERVICE_DIRECTORY_TOKEN_PREVIOUS=OLD.get_secret_value(),
            TASKSERVICE_GRPC_PORT=self.grpc.rpartition(":")[2],
            **environment,
        )

    def ready(self) -> "Auth":
        self.process.wait_until_ready()
        return self

    def register(self, person: dict[str, str]) -> str:
        answer = httpx2.post(f"{self.process.url}/v1/auth/register", json=person)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def targets(self, token: SecretStr = TOKEN) -> list[Target]:
        return [
            GrpcTarget(f"ipv4:{self.grpc}", token, user_agent="test"),
            HttpTarget(self.process.management_url, token, user_agent="test"),
        ]

    def calls(self) -> float:
        """Look-ups answered over gRPC, as /metrics shows them."""
        text = httpx2.get(f"{self.process.management_url}/metrics").text
        name = "rpc_server_call_duration_seconds_count{"
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


@asynccontextmanager
async def remote(*targets: Target, **changes: Any) -> AsyncIterator[tuple[RemoteDirectory, Metrics]]:
    metrics = Metrics("tasks", "1", "r1")
    settings: dict[str, Any] = {
        "timeout_seconds": 10,
        "attempt_seconds": 5,
        "breaker_failures": 5,
        "breaker_seconds": 60,
    }
    directory = RemoteDirectory(targets, metrics=metrics, **settings | changes)
    try:
        yield directory, metrics
    finally:
        await directory.close()


async def closed(*targets: Target) -> None:
    for target in targets:
        await target.close()


async def test_both_ways_tell_the_same(start_service: StartService) -> None:
    auth = Auth(start_service).ready()
    ann, bob = auth.register(ANN), auth.register(BOB)
    expected = [
        UserCard(id=ann, display_name="Ann", email=ANN["email"]),
        UserCard(id=bob, display_name=None, email=BOB["email"]),
    ]
    targets = auth.targets()
    for target in targets:
        cards = await target.ask([ann, bob, ann, "nobody"], 10)
        assert sorted(cards, key=lambda card: card.email) == expected
        assert await target.ask([], 10) == []
    await closed(*targets)
    body = {"ids": [ann, "nobody"]}
    answer = httpx2.post(auth.process.management_url + PATH, json=body, headers={"authorization": header(TOKEN)})
    assert answer.json()["missing"] == ["nobody"]
    async with grpc.aio.insecure_channel(auth.grpc) as channel:
        metadata = [("authorization", header(TOKEN))]
        given = await UserDirectoryStub(channel).GetUsers(v1.GetUsersRequest(ids=[ann, "nobody"]), metadata=metadata)
        assert list(given.missing) == ["nobody"]


async def test_only_services_are_answered_and_only_so_much(start_service: StartService) -> None:
    auth = Auth(start_service).ready()
    for token, ids, code in (
        (SecretStr("x" * 40), ["a"], {"UNAUTHENTICATED", "401"}),
        (TOKEN, [str(n) for n in range(MAX_IDS + 1)], {"INVALID_ARGUMENT", "422"}),
        (TOKEN, ["x" * 65], {"INVALID_ARGUMENT", "422"}),
    ):
        targets = auth.targets(token)
        for target in targets:
            with pytest.raises(Refused) as refused:
                await target.ask(ids, 10)
            assert str(refused.value) in code
        await closed(*targets)
    targets = auth.targets(OLD)
    assert [await target.ask([str(n) for n in range(MAX_IDS)], 10) for target in targets] == [[], []]
    await closed(*targets)
    assert httpx2.post(auth.process.management_url + PATH, json={"ids": []}).status_code == 401
    # Not on the port that the gateway knows.
    headers = {"authorization": header(TOKEN)}
    assert httpx2.post(auth.process.url + PATH, json={"ids": []}, headers=headers).status_code == 404


async def test_health_is_open_and_reflection_is_off(start_service: StartService) -> None:
    auth = Auth(start_service).ready()
    async with grpc.aio.insecure_channel(auth.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", server.SERVICE_NAME):
            status = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert status.status == health_pb2.HealthCheckResponse.SERVING
        reflection = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in reflection(iter([b""])):
                pass
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_caller_that_sets_no_deadline_gets_one() -> None:
    waiting = asyncio.Event()

    async def slow(_: Sequence[str]) -> list[UserCard]:
        await waiting.wait()
        return []

    listening = kit_grpc.Listening("127.0.0.1", free_port(), longest_seconds=0.2)
    metrics = Metrics("auth", "1", "r1")
    async with (
        kit_grpc.serving(
            listening, [server.registration(slow)], token=ServiceToken([TOKEN]), health=Health(), metrics=metrics
        ),
        grpc.aio.insecure_channel(f"127.0.0.1:{listening.port}") as channel,
    ):
        call = UserDirectoryStub(channel).GetUsers(
            v1.GetUsersRequest(ids=["a"]), metadata=[("authorization", header(TOKEN))]
        )
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await call
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    labels = {
        "rpc_method": f"{server.SERVICE_NAME}/GetUsers",
        "rpc_response_status_code": "DEADLINE_EXCEEDED",
        "revision": "r1",
    }
    assert metrics.registry.get_sample_value("rpc_server_call_duration_seconds_count", labels) == 1


async def test_http_answers_when_grpc_is_away_and_the_breaker_keeps_the_detour_short(
    start_service: StartService,
) -> None:
    auth = Auth(start_service).ready()
    ann = auth.register(ANN)
    nowhere = GrpcTarget(f"ipv4:127.0.0.1:{free_port()}", TOKEN, user_agent="test")
    http = HttpTarget(auth.process.management_url, TOKEN, user_agent="test")
    async with remote(nowhere, http) as (directory, metrics):
        for _ in range(30):
            assert list(await directory.find([ann])) == [ann]

        def value(name: str, **labels: str) -> float:
            return metrics.registry.get_sample_value(name, labels) or 0.0

        attempts = "taskservice_client_call_duration_seconds_count"
        assert value(attempts, target="directory-grpc", code="UNAVAILABLE", revision="r1") == 5
        assert value(attempts, target="directory-http", code="OK", revision="r1") == 30
        assert value("taskservice_circuit_breaker_state", target="directory-grpc") == 2
        assert value("taskservice_circuit_breaker_state", target="directory-http") == 0


async def test_servers_are_replaced_under_load_and_no_call_fails(start_service: StartService) -> None:
    """Two pods, each replaced twice while twenty callers ask without a pause; there is no second way to ask."""
    ports = [free_port(), free_port()]
    environment = {"TASKSERVICE_DRAIN_SECONDS": "0.5"}
    pods = [Auth(start_service, port, **environment) for port in ports]
    ann = pods[0].ready().register(ANN)
    pods[1].ready()
    target = GrpcTarget("ipv4:" + ",".join(pod.grpc for pod in pods), TOKEN, user_agent="test")
    over = asyncio.Event()
    answered = 0

    async with remote(target, breaker_failures=100) as (directory, _):

        async def caller() -> None:
            nonlocal answered
            while not over.is_set():
                assert list(await directory.find([ann])) == [ann]
                answered += 1
                await asyncio.sleep(0.01)

        callers = [asyncio.create_task(caller()) for _ in range(20)]
        try:
            for round_ in range(4):
                pod = pods[round_ % 2]
                pod.process.terminate()
                assert await asyncio.to_thread(pod.process.wait) == 0
                before = answered
                while answered < before + 100:
                    assert not any(task.done() for task in callers)
                    await asyncio.sleep(0.05)
                pods[round_ % 2] = replacement = Auth(start_service, ports[round_ % 2], **environment)
                await asyncio.to_thread(replacement.ready)
                while not await asyncio.to_thread(replacement.calls):
                    assert not any(task.done() for task in callers)
                    await asyncio.sleep(0.05)
        finally:
            over.set()
            await asyncio.gather(*callers)


async def test_after_a_switch_connections_move_although_the_old_side_stays(start_service: StartService) -> None:
    """Behind one address, as a Service has: the old side is alive and well, and yet it is no longer asked."""
    blue = Auth(start_service, TASKSERVICE_GRPC_CONNECTION_SECONDS="1").ready()
    green = Auth(start_service, TASKSERVICE_GRPC_CONNECTION_SECONDS="1").ready()
    ann = blue.register(ANN)
    service = TcpSwitch(blue.grpc)
    address = await service.open()
    async with remote(GrpcTarget(f"ipv4:{address}", TOKEN, user_agent="test")) as (directory, _):
        for _ in range(20):
            assert list(await directory.find([ann])) == [ann]
        assert (await asyncio.to_thread(blue.calls), await asyncio.to_thread(green.calls)) == (20, 0)
        service.lead_to(green.grpc)
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(green.calls):
                assert list(await directory.find([ann])) == [ann]
                await asyncio.sleep(0.05)
        settled = await asyncio.to_thread(blue.calls)
        for _ in range(20):
            assert list(await directory.find([ann])) == [ann]
        assert await asyncio.to_thread(blue.calls) == settled
    await service.close()


async def test_a_frozen_server_costs_one_attempt_not_the_callers_patience(start_service: StartService) -> None:
    auth = Auth(start_service).ready()
    target = GrpcTarget(f"ipv4:{auth.grpc}", TOKEN, user_agent="test")
    assert await target.ask([], 10) == []
    auth.process.freeze()
    try:
        with pytest.raises(NoAnswer) as late:
            await target.ask(["a"], 0.3)
        assert str(late.value) == "DEADLINE_EXCEEDED"
    finally:
        auth.process.thaw()
    await target.close()


async def test_a_taken_port_is_one_sentence(start_service: StartService) -> None:
    auth = Auth(start_service).ready()
    second = Auth(start_service, int(auth.grpc.rpartition(":")[2]))
    assert await asyncio.to_thread(second.process.wait) == 1
    assert (
        second.process.log.read_text()
        .splitlines()[-1]
        .startswith("taskservice auth cannot start: TASKSERVICE_GRPC_PORT: cannot listen on")
    )
