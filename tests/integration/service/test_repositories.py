"""Accounts in the database and in memory keep one contract on both drivers."""

import asyncio
from datetime import UTC, datetime

import pytest

from taskservice.auth.errors import EmailTaken
from taskservice.auth.repository import MemoryUsers, MongoUsers, User, UserRepository
from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo, connect
from taskservice.kit.settings import AuthSettings
from testkit.mongod import free_port
from testkit.tasks import a_task, mongo_tasks

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)


def a_user(email: str) -> User:
    return User(id=new_id(), email=email, display_name=None, password_hash="$argon2id$", created_at=NOW)


@pytest.fixture(params=["mongo", "memory"])
def users(request: pytest.FixtureRequest, database: Mongo) -> UserRepository:
    return MongoUsers(database) if request.param == "mongo" else MemoryUsers()


async def test_an_address_is_given_out_once(users: UserRepository) -> None:
    async def add() -> bool:
        try:
            await users.add(a_user("ann@example.com"))
        except EmailTaken:
            return False
        return True

    assert sum(await asyncio.gather(*(add() for _ in range(20)))) == 1
    user = await users.by_email("ann@example.com")
    assert user is not None
    assert await users.by_id(user.id) == user
    assert await users.by_email("bob@example.com") is None


async def test_many_are_looked_up_at_once(users: UserRepository) -> None:
    stored = [a_user(f"user{n}@example.com") for n in range(100)]
    for user in stored:
        await users.add(user)
    wanted = [user.id for user in stored[:60]]
    found = await users.by_ids([*wanted, new_id(), wanted[0]])
    assert {user.id: user for user in found} == {user.id: user for user in stored[:60]}
    assert len(found) == 60
    assert await users.by_ids([]) == []
    assert await users.by_ids([new_id()]) == []


async def test_a_database_that_does_not_answer_is_unavailable(auth_settings: AuthSettings) -> None:
    nobody = auth_settings.model_copy(
        update={
            "mongo_url": type(auth_settings.mongo_url)(f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0"),
            "mongo_timeout_seconds": 0.5,
        }
    )
    database = connect(nobody)
    with pytest.raises(Unavailable):
        await MongoUsers(database).by_id(new_id())
    with pytest.raises(Unavailable):
        await mongo_tasks(database).get(new_id())
    with pytest.raises(Unavailable):
        await mongo_tasks(database).add(a_task(), [])
    await database.close()
