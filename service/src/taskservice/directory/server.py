"""The end that answers: over gRPC on a port of its own, and over HTTP on the management port."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError

from taskservice.directory.cards import PATH, Answer, Question, UserCard
from taskservice.directory.v1 import directory_pb2 as v1
from taskservice.directory.v1.directory_pb2_grpc import (
    UserDirectoryServicer,
    add_UserDirectoryServicer_to_server,
)
from taskservice.kit.errors import Problem
from taskservice.kit.grpc import Registration
from taskservice.kit.service_token import ServiceToken

LookUp = Callable[[Sequence[str]], Awaitable[Sequence[UserCard]]]
SERVICE_NAME = v1.DESCRIPTOR.services_by_name["UserDirectory"].full_name


class BadQuestion(Problem):
    status, code, title = 422, "invalid", "The request is not valid"


async def answer(look_up: LookUp, question: Question) -> Answer:
    """Raises Unavailable."""
    wanted = list(dict.fromkeys(question.ids))
    found = {card.id: card for card in await look_up(wanted)} if wanted else {}
    return Answer(users=list(found.values()), missing=[id_ for id_ in wanted if id_ not in found])


class _UserDirectory(UserDirectoryServicer):
    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def GetUsers(self, request: v1.GetUsersRequest, context: Any) -> v1.GetUsersResponse:  # noqa: N802
        try:
            question = Question(ids=list(request.ids))
        except ValidationError as error:
            raise BadQuestion(error.errors()[0]["msg"]) from None
        given = await answer(self._look_up, question)
        cards = [v1.UserCard(id=card.id, display_name=card.display_name, email=card.email) for card in given.users]
        return v1.GetUsersResponse(users=cards, missing=given.missing)


def registration(look_up: LookUp) -> Registration:
    """For `kit.grpc.serving`."""
    return Registration(
        SERVICE_NAME, lambda server: add_UserDirectoryServicer_to_server(_UserDirectory(look_up), server)
    )


def router(look_up: LookUp, token: ServiceToken) -> APIRouter:
    """For the management port, where the gateway does not lead."""
    routes = APIRouter()

    @routes.post(PATH)
    async def get_users(request: Request, question: Question) -> Answer:
        token.require(request.headers.get("authorization"))
        return await answer(look_up, question)

    return routes
