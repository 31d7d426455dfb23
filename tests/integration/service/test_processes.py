"""Both services as processes, as the image runs them, spoken to over HTTP."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

import taskservice
from testkit.redis_server import RedisServer

pytestmark = pytest.mark.anyio

ANN = {"email": "ann@example.com", "password": "correct-horse-battery"}

StartService = Callable[..., Any]


def start_both(start_service: StartService, redis_server: RedisServer, **environment: str) -> tuple[Any, Any]:
    auth = start_service("auth", **environment)
    tasks = start_tasks(start_service, auth, redis_server, **environment)
    return auth.wait_until_ready(), tasks.wait_until_ready()


def start_tasks(start_service: StartService, auth: Any, redis_server: RedisServer, **environment: str) -> Any:
    address = f"{auth.url}/.well-known/jwks.json"
    return start_service("tasks", TASKSERVICE_JWKS_URL=address, TASKSERVICE_REDIS_URL=redis_server.url, **environment)


def login(auth: Any, email: str = ANN["email"]) -> dict[str, str]:
    person = ANN | {"email": email}
    httpx2.post(f"{auth.url}/v1/auth/register", json=person)
    token = httpx2.post(f"{auth.url}/v1/auth/login", json=person).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def count(tasks: Any, result: str) -> float:
    """Look-ups in the list cache with this result, as /metrics shows them."""
    name = f'taskservice_cache_requests_total{{cache="task_list",result="{result}"}} '
    for line in httpx2.get(f"{tasks.management_url}/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.removeprefix(name))
    return 0.0


def titles(client: httpx2.Client) -> list[str]:
    answer = client.get("/v1/tasks", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


def test_from_registration_to_a_list(start_service: StartService, redis_server: RedisServer, pem: str) -> None:
    auth, tasks = start_both(start_service, redis_server)
    headers = login(auth)
    me = httpx2.get(f"{auth.url}/v1/auth/me", headers=headers).json()
    assert me["email"] == ANN["email"]
    with httpx2.Client(base_url=tasks.url, headers=headers) as client:
        created = client.post("/v1/tasks", json={"title": "one"})
        assert created.status_code == 201
        assert created.json()["created_by"] == me["id"]
        assert created.headers["x-taskservice-revision"] == "rev-1"
        path = created.headers["location"]
        assert titles(client) == titles(client) == ["one"]
        assert count(tasks, "hit") == 1
        assert client.patch(path, json={"title": "two"}).json()["version"] == 2
        assert titles(client) == ["two"]
        assert client.delete(path).status_code == 204
        assert titles(client) == []
        assert client.get(path).status_code == 404
    for process in (auth, tasks):
        metrics = httpx2.get(f"{process.management_url}/metrics").text
        assert 'revision="rev-1"' in metrics
        assert httpx2.get(f"{process.url}/metrics").status_code == 404
        process.terminate()
    for process in (auth, tasks):
        assert process.wait() == 0
        assert process.lines()[-1]["event"] == "stopped"
        text = process.log.read_text()
        secrets = [ANN["password"], headers["Authorization"].split()[1], pem.splitlines()[1], ANN["email"]]
        assert [secret for secret in secrets if secret in text] == []


async def test_one_address_registered_at_once_is_created_once(start_service: StartService) -> None:
    auth = start_service("auth").wait_until_ready()
    async with httpx2.AsyncClient(base_url=auth.url, timeout=30) as client:
        answers = await asyncio.gather(*(client.post("/v1/auth/register", json=ANN) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


def test_tokens_stay_good_while_auth_is_down(start_service: StartService, redis_server: RedisServer) -> None:
    auth, tasks = start_both(
        start_service, redis_server, TASKSERVICE_JWKS_MAX_AGE_SECONDS="0.2", TASKSERVICE_JWKS_COOLDOWN_SECONDS="0.1"
    )
    headers = login(auth)
    auth.kill()
    with httpx2.Client(base_url=tasks.url, headers=headers) as client:
        for _ in range(10):
            assert titles(client) == []
            time.sleep(0.1)
    assert httpx2.get(f"{tasks.management_url}/readyz").status_code == 200
    assert "jwks_refresh_failed" in [line["event"] for line in tasks.lines()]


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_redis_away_is_bypassed_and_comes_back(
    fault: str, start_service: StartService, redis_server: RedisServer
) -> None:
    auth, tasks = start_both(
        start_service, redis_server, TASKSERVICE_REDIS_TIMEOUT_SECONDS="1", TASKSERVICE_REDIS_RETRY_SECONDS="3"
    )
    headers = login(auth)
    with httpx2.Client(base_url=tasks.url, headers=headers, timeout=30) as client:
        expected: list[str] = []

        def create_and_check(title: str) -> None:
            assert client.post("/v1/tasks", json={"title": title}).status_code == 201
            expected.append(title)
            assert sorted(titles(client)) == sorted(expected)
            assert sorted(titles(client)) == sorted(expected)

        create_and_check("before")
        assert count(tasks, "hit") >= 1
        (redis_server.kill if fault == "kill" else redis_server.freeze)()
        started = time.monotonic()
        for n in range(20):
            create_and_check(f"during {n}")
        # One timeout per retry time, not one per call: a hundred calls would take a hundred seconds.
        assert time.monotonic() - started < 60
        assert count(tasks, "away") >= 20
        (redis_server.start if fault == "kill" else redis_server.thaw)()
        hits = count(tasks, "hit")
        deadline = time.monotonic() + 60
        while count(tasks, "hit") < hits + 5:
            create_and_check("after")
            assert time.monotonic() < deadline
            time.sleep(0.1)
    events = [line["event"] for line in tasks.lines()]
    assert "redis_away" in events
    assert "redis_back" in events


@pytest.mark.parametrize("driver", ["motor"], indirect=True)
async def test_redis_dies_and_comes_back_under_many_clients_and_each_sees_its_own_writes(
    start_service: StartService, redis_server: RedisServer
) -> None:
    """Two replicas, sixteen clients; each asks the other replica for what it has just written to one."""
    auth, tasks = start_both(start_service, redis_server, TASKSERVICE_REDIS_RETRY_SECONDS="1")
    replicas = [tasks, start_tasks(start_service, auth, redis_server, TASKSERVICE_REDIS_RETRY_SECONDS="1")]
    replicas[1].wait_until_ready()
    people = [await asyncio.to_thread(login, auth, f"person{n}@example.com") for n in range(8)]
    rounds = 0
    over = asyncio.Event()

    async def client(number: int) -> None:
        nonlocal rounds
        own: list[str] = []
        async with httpx2.AsyncClient(headers=people[number % len(people)], timeout=60) as session:
            while not over.is_set():
                here, there = (f"{replica.url}/v1/tasks" for replica in random.sample(replicas, 2))
                created = await session.post(here, json={"title": f"round {rounds}"})
                assert created.status_code == 201, created.text
                own.append(created.json()["id"])
                if len(own) > 20:
                    gone = await session.delete(f"{here}/{own.pop(0)}")
                    assert gone.status_code == 204, gone.text
                for address in (there, here, there):
                    answer = await session.get(address, params={"limit": 100})
                    assert answer.status_code == 200, answer.text
                    assert [one for one in own if one not in {task["id"] for task in answer.json()["items"]}] == []
                rounds += 1

    async def hits() -> float:
        return sum([await asyncio.to_thread(count, replica, "hit") for replica in replicas])

    async def until_hits_grow() -> None:
        async with asyncio.timeout(120):
            before = await hits()
            while await hits() < before + 50:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.2)

    async def story() -> None:
        for _ in range(2):
            await until_hits_grow()
            await asyncio.to_thread(redis_server.kill)
            so_far = rounds
            async with asyncio.timeout(120):
                while rounds < so_far + 100:  # noqa: ASYNC110 - traffic is what is waited for
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(redis_server.start)
        await until_hits_grow()
        over.set()

    async with asyncio.TaskGroup() as group:
        for number in range(16):
            group.create_task(client(number))
        group.create_task(story())
    for replica in replicas:
        assert {"redis_away", "redis_back"} <= {line["event"] for line in replica.lines()}


@pytest.mark.parametrize("driver", ["motor"], indirect=True)
async def test_one_idempotency_key_at_two_replicas_creates_one_task(
    start_service: StartService, redis_server: RedisServer
) -> None:
    auth, tasks = start_both(start_service, redis_server)
    replicas = [tasks, start_tasks(start_service, auth, redis_server).wait_until_ready()]
    headers = await asyncio.to_thread(login, auth)
    async with httpx2.AsyncClient(headers=headers, timeout=60) as client:

        async def create(number: int, key: str, title: str) -> httpx2.Response:
            address = f"{replicas[number % 2].url}/v1/tasks"
            return await client.post(address, json={"title": title}, headers={"Idempotency-Key": key})

        for intention in range(5):
            answers = await asyncio.gather(*(create(n, f"key-{intention}", "once") for n in range(20)))
            assert {answer.status_code for answer in answers} <= {201, 409}
            made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
            assert len(made) == 1
            in_flight = [answer.json()["type"] for answer in answers if answer.status_code == 409]
            assert set(in_flight) <= {"urn:taskservice:problem:request-in-flight"}
            # Later, and at either: the same answer; for another body, none.
            again = [await create(n, f"key-{intention}", "once") for n in range(2)]
            assert {answer.json()["id"] for answer in again} == made
            assert [answer.headers.get("idempotency-replayed") for answer in again] == ["true", "true"]
            others = [await create(n, f"key-{intention}", "twice") for n in range(2)]
            assert [answer.status_code for answer in others] == [422, 422]
        listed = await client.get(f"{tasks.url}/v1/tasks", params={"limit": 100})
        assert len(listed.json()["items"]) == 5


async def test_a_service_that_leaves_drops_nothing(start_service: StartService, redis_server: RedisServer) -> None:
    """Clients on kept connections, during SIGTERM: each is told to close, and no request fails."""
    auth, tasks = start_both(start_service, redis_server, TASKSERVICE_DRAIN_SECONDS="8")
    headers = await asyncio.to_thread(login, auth)
    leaving = asyncio.Event()
    answered = 0

    async def client() -> None:
        nonlocal answered
        async with httpx2.AsyncClient(base_url=tasks.url, headers=headers, timeout=30) as session:
            while True:
                answer = await session.get("/v1/tasks")
                assert answer.status_code == 200
                answered += 1
                if answer.headers.get("connection") == "close":
                    return  # in a cluster the next connection goes to another pod
                if leaving.is_set():
                    await asyncio.sleep(0.05)

    clients = [asyncio.create_task(client()) for _ in range(8)]
    async with asyncio.timeout(60):
        while answered < 100:  # noqa: ASYNC110 - traffic is what is waited for
            await asyncio.sleep(0.05)
    tasks.terminate()
    leaving.set()
    async with httpx2.AsyncClient() as probe, asyncio.timeout(6):
        while (await probe.get(f"{tasks.management_url}/readyz")).status_code != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert (await probe.get(f"{tasks.management_url}/livez")).status_code == 200
    async with asyncio.timeout(30):
        await asyncio.gather(*clients)
    assert await asyncio.to_thread(tasks.wait) == 0


def test_a_start_without_dependencies_waits_and_says_for_what(start_service: StartService) -> None:
    nowhere = "http://127.0.0.1:9/jwks.json"
    tasks = start_service("tasks", TASKSERVICE_JWKS_URL=nowhere)
    deadline = time.monotonic() + 60
    while True:
        try:
            state = httpx2.get(f"{tasks.management_url}/readyz").json()
        except httpx2.HTTPError:
            state = {}
        if state.get("waiting") == {"jwks": "Unavailable"}:
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    assert httpx2.get(f"{tasks.management_url}/livez").status_code == 200
    answer = httpx2.get(f"{tasks.url}/v1/tasks", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401
    tasks.terminate()
    assert tasks.wait() == 0


def test_a_taken_port_is_one_sentence(start_service: StartService) -> None:
    auth = start_service("auth").wait_until_ready()
    second = start_service("auth", TASKSERVICE_PORT=str(auth.port))
    assert second.wait() == 1
    assert second.log.read_text().splitlines()[-1].startswith("taskservice auth cannot start: TASKSERVICE_PORT:")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TASKSERVICE_MONGO_URL", "hunter2"),
        ("TASKSERVICE_MONGO_URL", "mongodb://"),
        ("TASKSERVICE_REDIS_URL", "hunter2"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(setting: str, value: str, start_service: StartService) -> None:
    tasks = start_service("tasks", TASKSERVICE_JWKS_URL="http://127.0.0.1:9/jwks.json", **{setting: value})
    assert tasks.wait() == 1
    text = tasks.log.read_text()
    assert text.splitlines()[-1].startswith(f"taskservice tasks cannot start: {setting} ")
    assert "hunter2" not in text
    assert "Traceback" not in text


def test_migrate_makes_the_indexes(replica_set: Any, driver: str, database_name: str) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(taskservice.__file__).parents[1]),
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DRIVER": driver,
        "TASKSERVICE_MONGO_DATABASE": database_name,
    }
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "taskservice", "migrate"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == "index sessions.user_newest"


def test_a_replica_set_is_not_spread_over_shards_and_says_so(replica_set: Any, driver: str, database_name: str) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(taskservice.__file__).parents[1]),
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DRIVER": driver,
        "TASKSERVICE_MONGO_DATABASE": database_name,
    }
    command = [sys.executable, "-m", "taskservice", "migrate", "--shard"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("taskservice migrate cannot go on: TASKSERVICE_MONGO_URL leads to the replica set rs0:")
