"""Everything that the repositories ask a database.

A new method of a repository belongs into `ASKED`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry

from taskservice.auth.refresh import RefreshToken, Rotation
from taskservice.kit.events import Event
from taskservice.kit.idempotency import Answer, KeptAnswer, RequestKey
from taskservice.kit.ids import new_id
from taskservice.kit.lease import LEASES, Lease, Term
from taskservice.kit.mongo import Session as Transaction
from taskservice.kit.outbox import OUTBOX
from taskservice.tasks import events
from taskservice.tasks.listing import Filter, Query, Scope, Sort, list_of, position
from taskservice.tasks.model import Change, Comment, Task
from taskservice.worker.contract import TaskEvent, TaskState
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.relay import LagWatch, Relay
from testkit.database_contents import TODAY, Stored, a_session, a_user
from testkit.tasks import NOW, a_task, an_entry, mongo_answers

PAGE = 10
KEY = RequestKey.of("ann", "k", "POST", "/", b"")
MINE, ASSIGNED = list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "bob")


Ask = Callable[[Stored], Awaitable[object]]


class AcceptingBus:
    """A broker that confirms everything; what is asked here is the database."""

    async def publish(self, message: object) -> None:
        return None


def retitled(task: Task) -> Change:
    after = replace(task, title="x", version=task.version + 1)
    return Change(*events.updated(task, after, "ann"), answer=KeptAnswer(KEY, Answer(200, b"")))


def reassigned(task: Task) -> Change:
    after = replace(task, assignee="carl", version=task.version + 1)
    return Change(*events.assigned(task, after, "ann"))


def commented(task: Task) -> Change:
    comment = Comment(id=new_id(), task=task.id, author="ann", text="x", created_at=NOW)
    after, told = events.commented(replace(task, comments=task.comments + 1), comment, "ann")
    return Change(after, told, comment)


def deleted(task: Task) -> Change:
    after = replace(task, deleted_at=NOW, version=task.version + 1)
    return Change(*events.deleted(after, "ann", NOW))


async def comment_pages(stored: Stored) -> None:
    first = await stored.tasks.comments(stored.task.id, PAGE, None)
    assert len(await stored.tasks.comments(stored.task.id, PAGE, first[-1].id)) == PAGE


CONDITIONS = (
    Filter(),
    Filter(statuses=frozenset({"todo"})),
    Filter(statuses=frozenset({"todo", "in_progress"}), label="a"),
    Filter(assignee="bob"),
    Filter(assignee="", label="b"),
    Filter(title_prefix="BUY"),
    Filter(title_prefix="buy 1", statuses=frozenset({"done"})),
    Filter(due_from=NOW + timedelta(days=3), due_before=NOW + timedelta(days=40)),
    Filter(due_before=NOW + timedelta(days=9), label="a", title_prefix="buy"),
)


def pages(sort: Sort) -> Ask:
    """Under every condition the first page and the one after it."""

    async def ask(stored: Stored) -> None:
        for name, wanted in product((MINE, ASSIGNED), CONDITIONS):
            query = Query(name, PAGE, sort, wanted)
            found = await stored.tasks.page(query)
            assert found == await stored.memory.page(query)
            if found:
                await stored.tasks.page(replace(query, after=position(found[-1], sort)))

    return ask


async def activity_pages(stored: Stored) -> None:
    first = await stored.activity.of_task(stored.task.id, PAGE, None)
    assert len(await stored.activity.of_task(stored.task.id, PAGE, first[-1].position)) == PAGE


async def feed_pages(stored: Stored) -> None:
    first = await stored.activity.of_person("bob", PAGE, None)
    assert len(await stored.activity.of_person("bob", PAGE, first[-1].id)) == PAGE


def told(stored: Stored, sequence: int, **task: Any) -> TaskEvent:
    event = Event(
        type="task.updated", subject=stored.task.id, sequence=sequence, owner="ann", actor="ann", occurred_at=NOW
    )
    return TaskEvent(event, TaskState(title="t", **task), {})


async def handle(stored: Stored) -> None:
    async def work(session: Transaction) -> None:
        await stored.feed.advance(stored.task.id, 26, session)
        await stored.feed.add(an_entry(stored.task.id, 26, "ann", "bob"), session)
        assert await stored.feed.last(stored.task.id, session) == 26

    await stored.within(work)


async def follow(stored: Stored) -> None:
    await stored.within(lambda session: stored.reminders.follow(told(stored, 27, due_at=NOW), session))
    await stored.within(lambda session: stored.reminders.follow(told(stored, 28), session))


async def claim(stored: Stored) -> None:
    reminder = (await stored.reminders.due(NOW, PAGE))[0]
    await stored.within(lambda session: stored.reminders.claim(reminder, NOW, session))


async def forward(stored: Stored) -> None:
    leases = stored.database.collection(LEASES)
    await leases.insert_one({"_id": "relay", "holder": "me", "generation": 1, "expiresAt": None})
    bus: Any = AcceptingBus()
    rows, metrics = stored.database.collection(OUTBOX), WorkerMetrics(CollectorRegistry())
    relay = Relay(stored.database, rows, bus, metrics, batch=100, poll_seconds=1)
    assert await relay.forward(Term(leases, "relay", "me", 1, ends=float("inf"))) == 6


async def hold(stored: Stored) -> None:
    class Enough(Exception):
        pass

    async def work(term: Term) -> None:
        raise Enough

    try:
        await Lease(stored.database.collection(LEASES), "relay", 10).hold(work)
    except Enough:
        return


async def measure(stored: Stored) -> None:
    await LagWatch(stored.database.collection(OUTBOX), WorkerMetrics(CollectorRegistry())).measure()


async def rotate(stored: Stored) -> None:
    session = await stored.sessions.get(stored.token.session_id)
    assert session is not None
    rotation = Rotation(stored.token.hash, b"n" * 32, TODAY)
    assert await stored.sessions.rotate(session, stored.token.next(b"n" * 32).hash, rotation, session.idle_until)


ASKED: dict[str, Ask] = {
    "users.add": lambda stored: stored.users.add(a_user("new")),
    "users.by_email": lambda stored: stored.users.by_email(stored.user.email),
    "users.by_id": lambda stored: stored.users.by_id(stored.user.id),
    "users.by_ids": lambda stored: stored.users.by_ids([stored.user.id, new_id()]),
    "users.change": lambda stored: stored.users.change(stored.user.id, {"display_name": "Ann"}),
    "users.set_password": lambda stored: stored.users.set_password(stored.user.id, 0, "y"),
    "users.improve_hash": lambda stored: stored.users.improve_hash(stored.user.id, "x", "y"),
    "sessions.add": lambda stored: stored.sessions.add(a_session(RefreshToken.fresh())),
    "sessions.get": lambda stored: stored.sessions.get(stored.token.session_id),
    "sessions.rotate": rotate,
    "sessions.end": lambda stored: stored.sessions.end(stored.token.session_id, TODAY),
    "sessions.end_all": lambda stored: stored.sessions.end_all("ann", TODAY),
    "sessions.newest": lambda stored: stored.sessions.newest("ann", 5),
    "failures.get": lambda stored: stored.failures.get("f7"),
    "failures.count": lambda stored: stored.failures.count("f7", TODAY),
    "failures.forget": lambda stored: stored.failures.forget("f7"),
    "denylist.refuses": lambda stored: stored.denylist.refuses("s7"),
    "denylist.add": lambda stored: stored.denylist.add(["s7", "new"], TODAY),
    "denylist.live": lambda stored: stored.denylist.live(TODAY, 10),
    "denylist.added_since": lambda stored: stored.denylist.added_since(TODAY - timedelta(minutes=2)),
    "answers.find": lambda stored: mongo_answers(stored.database).find(KEY),
    "tasks.add": lambda stored: stored.tasks.add(*events.created(a_task(assignee="bob", sequence=0), "ann")),
    "tasks.get": lambda stored: stored.tasks.get(stored.task.id),
    "tasks.change (update)": lambda stored: stored.tasks.change(stored.task.id, retitled),
    "tasks.change (assign)": lambda stored: stored.tasks.change(stored.task.id, reassigned),
    "tasks.change (comment)": lambda stored: stored.tasks.change(stored.task.id, commented),
    "tasks.change (delete)": lambda stored: stored.tasks.change(stored.task.id, deleted),
    "tasks.comments": comment_pages,
    **{f"tasks.page ({sort.value})": pages(sort) for sort in Sort},
    "activity.of_task": activity_pages,
    "activity.of_person": feed_pages,
    "feed": handle,
    "reminders.follow": follow,
    "reminders.claim": claim,
    "relay": forward,
    "lag": measure,
    "lease": hold,
}
ONLY_INSERTS = {"users.add", "sessions.add", "tasks.add"}
EVERYWHERE = {
    "sessions.end_all": "once per logout everywhere and change of password: a session is kept by its id, for refreshes",
    "sessions.newest": "once per login, which costs a password check",
    "denylist.live": "once per start of a Redis",
    "denylist.added_since": "by one process at a time, every second or two",
    "reminders.claim": "finding what is due: by the one process with the lease, every few seconds",
    "relay": "finding what is pending: by the one process with the lease",
    "lag": "by each worker, every few seconds",
}
"""What asks every shard, and why it may."""
