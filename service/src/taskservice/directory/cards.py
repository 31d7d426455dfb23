"""What is said about a user, and its form over HTTP; the form over gRPC is in `v1`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_IDS = 100
PATH = "/internal/v1/users/lookup"

UserId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class UserCard(BaseModel):
    """What other users may see of an account."""

    model_config = ConfigDict(frozen=True)

    id: str
    display_name: str | None
    email: str


class Question(BaseModel):
    """The body of a look-up over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: Annotated[list[UserId], Field(max_length=MAX_IDS)]


class Answer(BaseModel):
    """One card for each id that exists, once, and the ids that nobody has."""

    users: list[UserCard]
    missing: list[str]
