"""Sessions, failures and the denylist keep one contract in memory and on both drivers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from taskservice.auth.lockout import FAILURES, FailureRepository, MemoryFailures, MongoFailures
from taskservice.auth.refresh import RefreshToken, Rotation, Session
from taskservice.auth.repository import USERS, MemoryUsers, MongoUsers, User, UserRepository
from taskservice.auth.sessions import ROTATIONS_KEPT, SESSIONS, MemorySessions, MongoSessions, SessionRepository
from taskservice.kit.denylist import DENYLIST, KEPT, Denylist, MemoryDenylist, MongoDenylist
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(params=["mongo", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sessions(kind: str, database: Mongo) -> SessionRepository:
    return MongoSessions(database.collection(SESSIONS)) if kind == "mongo" else MemorySessions()


@pytest.fixture
def failures(kind: str, database: Mongo) -> FailureRepository:
    return MongoFailures(database.collection(FAILURES)) if kind == "mongo" else MemoryFailures()


@pytest.fixture
def users(kind: str, database: Mongo) -> UserRepository:
    return MongoUsers(database) if kind == "mongo" else MemoryUsers()


@pytest.fixture
def denylist(kind: str, database: Mongo) -> Denylist:
    return MongoDenylist(database.collection(DENYLIST)) if kind == "mongo" else MemoryDenylist()


def begun(token: RefreshToken, user: str = "ann", at: datetime = NOW) -> Session:
    return Session(token.session_id, user, token.hash, (), at, at + 30 * DAY, at + 7 * DAY)


def rotation(token: RefreshToken, n: int = 0) -> tuple[RefreshToken, Rotation]:
    nonce = n.to_bytes(32, "big")
    return token.next(nonce), Rotation(token.hash, nonce, NOW + timedelta(seconds=n))


async def test_a_session_comes_back_as_it_was_stored(sessions: SessionRepository) -> None:
    token = RefreshToken.fresh()
    await sessions.add(begun(token))
    assert await sessions.get(token.session_id) == begun(token)
    assert await sessions.get("nobody") is None


async def test_of_many_uses_at_once_one_rotates(sessions: SessionRepository) -> None:
    token = RefreshToken.fresh()
    session = begun(token)
    await sessions.add(session)
    tries = [rotation(token, n) for n in range(20)]
    done = await asyncio.gather(*(sessions.rotate(session, new.hash, r, NOW + 8 * DAY) for new, r in tries))
    assert done.count(True) == 1
    stored = await sessions.get(session.id)
    assert stored is not None
    new, used = tries[done.index(True)]
    assert (stored.current, stored.rotations, stored.idle_until) == (new.hash, (used,), NOW + 8 * DAY)


async def test_only_the_latest_rotations_are_kept(sessions: SessionRepository) -> None:
    token = RefreshToken.fresh()
    session = begun(token)
    await sessions.add(session)
    used: list[Rotation] = []
    for n in range(ROTATIONS_KEPT + 5):
        token, latest = rotation(token, n)
        assert await sessions.rotate(session, token.hash, latest, NOW + 8 * DAY)
        used.append(latest)
    stored = await sessions.get(session.id)
    assert stored is not None
    assert list(stored.rotations) == used[-ROTATIONS_KEPT:]


async def test_an_ended_session_is_not_rotated(sessions: SessionRepository) -> None:
    token = RefreshToken.fresh()
    session = begun(token)
    await sessions.add(session)
    await sessions.end(session.id, NOW)
    await sessions.end(session.id, NOW + DAY)
    await sessions.end("nobody", NOW)
    following, used = rotation(token)
    assert not await sessions.rotate(session, following.hash, used, NOW + DAY)
    stored = await sessions.get(session.id)
    assert stored is not None
    assert (stored.ended_at, stored.current) == (NOW, token.hash)


async def test_all_of_a_user_end_and_those_that_ended_before_are_named_too(sessions: SessionRepository) -> None:
    tokens = [RefreshToken.fresh() for _ in range(5)]
    for token in tokens:
        await sessions.add(begun(token))
    stranger = RefreshToken.fresh()
    await sessions.add(begun(stranger, "bob"))
    await sessions.end(tokens[0].session_id, NOW)
    assert sorted(await sessions.end_all("ann", NOW)) == sorted(token.session_id for token in tokens)
    assert await sessions.newest("ann", 10) == []
    assert [session.id for session in await sessions.newest("bob", 10)] == [stranger.session_id]


async def test_the_newest_come_first(sessions: SessionRepository) -> None:
    ids = []
    for n in range(6):
        token = RefreshToken.fresh()
        await sessions.add(begun(token, at=NOW + timedelta(seconds=n)))
        ids.append(token.session_id)
    await sessions.end(ids[4], NOW)
    assert [session.id for session in await sessions.newest("ann", 3)] == [ids[5], ids[3], ids[2]]


async def test_failures_at_once_are_all_counted(failures: FailureRepository) -> None:
    assert await failures.get("k") is None
    await asyncio.gather(*(failures.count("k", NOW) for _ in range(20)))
    counted = await failures.get("k")
    assert counted is not None
    assert (counted.count, counted.last) == (20, NOW)
    await failures.forget("k")
    assert await failures.get("k") is None


async def test_a_password_is_changed_once_per_version(users: UserRepository) -> None:
    user = User(new_id(), "ann@example.com", None, "old", NOW)
    await users.add(user)
    tries = await asyncio.gather(*(users.set_password(user.id, 0, f"new{n}") for n in range(10)))
    (changed,) = [done for done in tries if done]
    assert changed.password_version == 1
    assert await users.by_id(user.id) == changed
    await users.improve_hash(user.id, "old", "better")
    assert await users.by_id(user.id) == changed
    await users.improve_hash(user.id, changed.password_hash, "better")
    improved = await users.by_id(user.id)
    assert improved is not None
    assert (improved.password_hash, improved.password_version) == ("better", 1)


async def test_a_user_of_before_passwords_had_versions_can_change_it(database: Mongo) -> None:
    users = MongoUsers(database)
    user = User(new_id(), "ann@example.com", None, "old", NOW)
    await users.add(user)
    collection = database.collection(USERS)
    await collection.update_one({"_id": user.id}, {"$unset": {"passwordVersion": 1, "roles": 1}})
    assert await users.by_id(user.id) == user
    changed = await users.set_password(user.id, 0, "new")
    assert changed is not None
    assert changed.password_version == 1


async def test_a_name_is_changed_and_removed(users: UserRepository) -> None:
    user = User(new_id(), "ann@example.com", None, "hash", NOW, roles=("administrator",))
    await users.add(user)
    changed = await users.change(user.id, {"display_name": "Ann"})
    assert changed is not None
    assert (changed.display_name, changed.roles, changed.email) == ("Ann", ("administrator",), user.email)
    assert await users.by_id(user.id) == changed
    assert await users.change(user.id, {"display_name": None}) == user
    assert await users.change(new_id(), {"display_name": "Ann"}) is None


async def test_an_ended_session_is_refused_however_often_it_is_ended(denylist: Denylist) -> None:
    one, two = new_id(), new_id()
    assert not await denylist.refuses(one)
    await asyncio.gather(*(denylist.add([one, two], NOW) for _ in range(10)))
    assert await denylist.refuses(one)
    assert await denylist.refuses(two)
    await denylist.add([], NOW)
    assert not await denylist.refuses(new_id())


async def test_the_denylist_says_what_lives_and_what_is_new(database: Mongo) -> None:
    denylist = MongoDenylist(database.collection(DENYLIST))
    await denylist.add(["old"], NOW - KEPT)
    await denylist.add(["before"], NOW - timedelta(minutes=5))
    await denylist.add(["now"], NOW)
    assert {entry.session_id for entry in await denylist.live(NOW, 10)} == {"before", "now"}
    assert len(await denylist.live(NOW, 1)) == 1
    (entry,) = await denylist.added_since(NOW - timedelta(minutes=1))
    assert (entry.session_id, entry.until) == ("now", NOW + KEPT)


async def test_what_is_over_goes_by_itself(database: Mongo) -> None:
    """The database removes what is past its time; here it is enough that it was told when."""
    for collection, index in ((SESSIONS, "goes_at"), (FAILURES, "goes_at"), (DENYLIST, "until_expiry")):
        information = await database.collection(collection).index_information()
        assert information[index]["expireAfterSeconds"] == 0
