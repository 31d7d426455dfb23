"""A database with something of everything in it, and the repositories on it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

from taskservice.activity.repository import MongoActivity
from taskservice.auth.lockout import FAILURES, MongoFailures
from taskservice.auth.refresh import RefreshToken, Session
from taskservice.auth.repository import MongoUsers, User
from taskservice.auth.sessions import SESSIONS, MongoSessions
from taskservice.kit.denylist import DENYLIST, MongoDenylist
from taskservice.kit.events import Event
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo
from taskservice.kit.mongo import Session as Transaction
from taskservice.kit.outbox import OUTBOX, MongoOutbox
from taskservice.tasks.documents import comment_document, entry_document, task_document
from taskservice.tasks.listing import lists_of
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.model import Comment, Task
from taskservice.tasks.repository import COMMENTS, ENTRIES, TASKS, MongoTasks
from taskservice.worker.activity import PROGRESS, Feed
from taskservice.worker.reminders import REMINDERS, Reminders
from testkit.tasks import NOW, a_task, an_entry, mongo_tasks

TODAY = datetime.now(UTC).replace(microsecond=0)
"""For what the database would otherwise remove as expired."""


@dataclass
class Stored:
    """The repositories on a database with something in it."""

    database: Mongo
    tasks: MongoTasks
    users: MongoUsers
    sessions: MongoSessions
    failures: MongoFailures
    denylist: MongoDenylist
    activity: MongoActivity
    feed: Feed
    reminders: Reminders
    task: Task
    user: User
    token: RefreshToken
    memory: MemoryTasks  # the same tasks

    async def within(self, work: Callable[[Transaction], Awaitable[object]]) -> None:
        await self.database.transaction(work)


def a_user(name: str) -> User:
    return User(id=new_id(), email=f"{name}@example.com", display_name=None, password_hash="x", created_at=TODAY)


def a_session(token: RefreshToken, user: str = "ann") -> Session:
    later = TODAY + timedelta(days=30)
    return Session(token.session_id, user, token.hash, (), TODAY, later, later)


async def fill(database: Mongo) -> Stored:
    """Stores something of everything."""
    memory = MemoryTasks()
    subject, other = await _tasks(database, memory)
    tokens = [RefreshToken.fresh() for _ in range(30)]
    stored = Stored(
        database=database,
        tasks=mongo_tasks(database),
        users=MongoUsers(database),
        sessions=MongoSessions(database.collection(SESSIONS)),
        failures=MongoFailures(database.collection(FAILURES)),
        denylist=MongoDenylist(database.collection(DENYLIST)),
        activity=MongoActivity(database),
        feed=Feed(MongoActivity(database), database.collection(PROGRESS)),
        reminders=Reminders(database.collection(REMINDERS)),
        task=subject,
        user=a_user("ann"),
        token=tokens[0],
        memory=memory,
    )
    for user in (stored.user, *(a_user(f"{n}") for n in range(12))):
        await stored.users.add(user)
    sessions = (a_session(token, ("ann", "bob", "eve")[n % 3]) for n, token in enumerate(tokens))
    await asyncio.gather(
        *(stored.sessions.add(session) for session in sessions),
        *(stored.failures.count(f"f{n}", TODAY) for n in range(30)),
        *(stored.denylist.add([f"s{n}"], TODAY - timedelta(minutes=n)) for n in range(30)),
    )
    await _activity(stored, other)
    await _outbox(database)
    return stored


async def _tasks(database: Mongo, memory: MemoryTasks) -> tuple[Task, Task]:
    everything = [
        a_task(
            owner,
            title=f"{title} {n}",
            status=status,
            assignee="bob" if n % 2 else None,
            labels=(("a", "b"), ("b",), ())[n % 3],
            due_at=NOW + timedelta(days=n) if n % 4 else None,
            updated_at=NOW + timedelta(hours=n % 7),
            comments=25,
        )
        for owner, status, title, n in product(
            ("ann", "eve"), ("todo", "in_progress", "done"), ("Buy", "sell"), range(20)
        )
    ]
    for task in everything:
        await memory.add(task, [])
    entries = [entry_document(task, name) for task in everything for name in lists_of(task)]
    await database.collection(TASKS).insert_many([task_document(task) for task in everything])
    await database.collection(ENTRIES).insert_many(entries)
    subject, other = next(task for task in everything if task.assignee), everything[-1]
    comments = [
        Comment(id=new_id(), task=task.id, author="ann", text="x", created_at=NOW)
        for task in (subject, other)
        for _ in range(25)
    ]
    await database.collection(COMMENTS).insert_many([comment_document(comment) for comment in comments])
    return subject, other


async def _activity(stored: Stored, other: Task) -> None:
    async def work(session: Transaction) -> None:
        for task in (stored.task, other):
            await stored.feed.advance(task.id, 25, session)
            for sequence in range(1, 26):
                await stored.feed.add(an_entry(task.id, sequence, "ann", "bob"), session)

    await stored.within(work)
    await stored.database.collection(REMINDERS).insert_many(
        [
            {
                "_id": new_id(),
                "state": "sent" if n % 3 else "waiting",
                "dueAt": NOW - timedelta(hours=n),
                "title": "t",
                "owner": "ann",
                "person": "bob",
            }
            for n in range(60)
        ]
    )


async def _outbox(database: Mongo) -> None:
    """Sixty events that were published and six that were not."""
    outbox, rows = MongoOutbox(database.collection(OUTBOX)), database.collection(OUTBOX)
    some = [
        Event(type="task.updated", subject=f"t{n % 11}", sequence=1 + n // 11, owner="a", actor="a", occurred_at=NOW)
        for n in range(66)
    ]
    await database.transaction(lambda session: outbox.append(session, some))
    published = {"$set": {"publishedAt": TODAY}, "$unset": {"pending": ""}}
    await rows.update_many({"subject": {"$nin": ["t3"]}}, published)
