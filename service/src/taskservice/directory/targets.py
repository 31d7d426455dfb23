"""One attempt to ask, over gRPC or over HTTP. What may be tried again and what may not is told by the exception."""

from collections.abc import Sequence
from typing import Any, Protocol

import grpc.aio
import httpx2
from pydantic import SecretStr, ValidationError

from taskservice.directory.cards import PATH, Answer, UserCard
from taskservice.directory.v1 import directory_pb2 as v1
from taskservice.directory.v1.directory_pb2_grpc import UserDirectoryStub
from taskservice.kit import grpc as kit_grpc
from taskservice.kit import trace_context
from taskservice.kit.service_token import header

AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,  # by the other side: our own cancellation is asyncio's
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,  # not there yet, or no longer: somebody else may have it
    }
)


class NoAnswer(Exception):
    """The target did not answer, or not with an answer; another attempt may. The text is a code, for metrics."""


class Refused(Exception):
    """The target will answer the same question the same way. The text is a code, for metrics."""


class Target(Protocol):
    """One way to ask."""

    name: str

    async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
        """Raises NoAnswer, Refused."""
        ...

    async def close(self) -> None: ...


class GrpcTarget:
    """Asks over gRPC. The channel is opened by the first call."""

    name = "directory-grpc"

    def __init__(self, target: str, token: SecretStr, *, user_agent: str, interceptors: Sequence[Any] = ()) -> None:
        self._channel = kit_grpc.channel(target, user_agent=user_agent, interceptors=interceptors)
        self._stub = UserDirectoryStub(self._channel)
        self._authorization = ("authorization", header(token))

    async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
        metadata = [self._authorization, *trace_context.outgoing().items()]
        try:
            answer: v1.GetUsersResponse = await self._stub.GetUsers(
                v1.GetUsersRequest(ids=ids), timeout=seconds, metadata=metadata
            )
        except grpc.aio.AioRpcError as error:
            raise (NoAnswer if error.code() in AGAIN else Refused)(error.code().name) from None
        return [
            UserCard(
                id=user.id, display_name=user.display_name if user.HasField("display_name") else None, email=user.email
            )
            for user in answer.users
        ]

    async def close(self) -> None:
        await self._channel.close()


class HttpTarget:
    """Asks over HTTP, at the management port."""

    name = "directory-http"

    def __init__(
        self, url: str, token: SecretStr, *, user_agent: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url,
            headers={"Authorization": header(token), "User-Agent": user_agent},
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            # A connection is kept for a burst of calls, not long enough to outlive the pod behind it.
            limits=httpx2.Limits(max_connections=50, keepalive_expiry=2.0),
        )

    async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
        try:
            response = await self._client.post(
                PATH, json={"ids": list(ids)}, headers=trace_context.outgoing(), timeout=seconds
            )
        except httpx2.HTTPError as error:
            raise NoAnswer(type(error).__name__) from None
        if response.status_code >= 500 or response.status_code in (404, 408, 429):
            raise NoAnswer(str(response.status_code))
        if response.status_code != 200 or len(response.content) > kit_grpc.MAX_ANSWER_BYTES:
            raise Refused(str(response.status_code))
        try:
            return Answer.model_validate_json(response.content).users
        except ValidationError:
            raise NoAnswer("malformed") from None

    async def close(self) -> None:
        await self._client.aclose()
