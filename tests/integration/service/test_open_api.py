"""The real services against the committed OpenAPI documents: generated requests, and no answer that is not in them.

Every operation gets valid and invalid requests. A server error, an undocumented status or media type, an answer
that does not fit its schema, and an operation that works without its token are failures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from taskservice_local.paths import CHECKOUT
from testkit.mongod import ReplicaSet, free_port
from testkit.redis_server import RedisServer
from testkit.service_process import Process

DOCUMENTS = CHECKOUT / "service" / "openapi"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.unsupported_method,
    checks.ignored_auth,
]
LIMITS = (
    "REGISTER_PER_ADDRESS",
    "LOGIN_PER_ADDRESS",
    "LOGIN_PER_ACCOUNT",
    "REFRESH_PER_ADDRESS",
    "PASSWORD_PER_ACCOUNT",
)
ANN = {"email": "ann@example.com", "password": "correct-horse-battery"}

auth = schemathesis.openapi.from_path(DOCUMENTS / "auth.json")
tasks = schemathesis.openapi.from_path(DOCUMENTS / "tasks.json")
bounded = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass
class Live:
    """Both services, and a caller they know."""

    auth: Process
    tasks: Process
    token: str = "none"

    @property
    def headers(self) -> dict[str, str]:
        """The caller's; logged in anew when a generated request was a logout."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if httpx2.get(f"{self.auth.url}/v1/auth/me", headers=headers).status_code == 200:
            return headers
        answer = httpx2.post(f"{self.auth.url}/v1/auth/login", json=ANN)
        self.token = answer.raise_for_status().json()["access_token"]
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def live(replica_set: ReplicaSet, pem: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("open-api")
    common = {
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DATABASE": "openapi",
        "TASKSERVICE_ARGON2_MEMORY_KIB": "8",
        "TASKSERVICE_ARGON2_TIME_COST": "1",
        # Generated changes of the password fail, and the caller has to log in again all the same.
        "TASKSERVICE_LOCKOUT_FREE_FAILURES": "100",
        # All of them come from one address, and the caller's logins from one account.
        **{f"TASKSERVICE_LIMIT_{name}": "100000/minute" for name in LIMITS},
        "TASKSERVICE_DIRECTORY_TOKEN": "open-api" * 4,
    }
    with RedisServer(folder) as redis:
        common["TASKSERVICE_REDIS_URL"] = redis.url
        own = {"TASKSERVICE_JWT_PRIVATE_KEY": pem, "TASKSERVICE_GRPC_PORT": str(free_port())}
        auth = Process("auth", folder, common | own)
        others = {
            "TASKSERVICE_JWKS_URL": f"{auth.url}/.well-known/jwks.json",
            "TASKSERVICE_DIRECTORY_HTTP_URL": auth.management_url,
            # An answer that is late would be a 503; how late is not the question here.
            "TASKSERVICE_DIRECTORY_TIMEOUT_SECONDS": "30",
            "TASKSERVICE_DIRECTORY_ATTEMPT_SECONDS": "20",
        }
        tasks = Process("tasks", folder, common | others)
        try:
            auth.wait_until_ready()
            tasks.wait_until_ready()
            httpx2.post(f"{auth.url}/v1/auth/register", json=ANN).raise_for_status()
            yield Live(auth, tasks)
        finally:
            auth.kill()
            tasks.kill()


@auth.parametrize()
@bounded
def test_auth_answers_as_documented(case: schemathesis.Case, live: Live) -> None:
    case.call_and_validate(base_url=live.auth.url, headers=live.headers, checks=CHECKS)


@tasks.parametrize()
@bounded
def test_tasks_answers_as_documented(case: schemathesis.Case, live: Live) -> None:
    case.call_and_validate(base_url=live.tasks.url, headers=live.headers, checks=CHECKS)
