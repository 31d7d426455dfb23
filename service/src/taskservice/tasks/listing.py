"""Lists of tasks: which there are, what they can be filtered and ordered by, and where in them a task stands. Pure.

A user has two lists, of tasks he created and of tasks assigned to him. A task has one entry in each list it is in.
Every order is one member of the entry that holds a text ending in the task's id: unique, so that it is a whole
keyset, and ordered by code points, as Python and MongoDB both compare text.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from taskservice.tasks.model import Task

MAX_TITLE_KEY = 200
NO_DUE = "9" * 15
"""Where a task without a due date stands among the others: at the end of time."""
LAST_CHARACTER = chr(0x10FFFF)


class Scope(StrEnum):
    MINE = "mine"
    ASSIGNED = "assigned"


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"
    DUE_LAST = "-due"
    UPDATED = "updated"
    UPDATED_LAST = "-updated"
    TITLE = "title"
    TITLE_LAST = "-title"


BY_AGE, BY_DUE, BY_UPDATE, BY_TITLE = "task", "byDue", "byUpdate", "byTitle"
"""Members of an entry that a list can be ordered by."""

ORDERS: dict[Sort, tuple[str, bool]] = {
    Sort.NEWEST: (BY_AGE, True),
    Sort.OLDEST: (BY_AGE, False),
    Sort.DUE: (BY_DUE, False),
    Sort.DUE_LAST: (BY_DUE, True),
    Sort.UPDATED: (BY_UPDATE, False),
    Sort.UPDATED_LAST: (BY_UPDATE, True),
    Sort.TITLE: (BY_TITLE, False),
    Sort.TITLE_LAST: (BY_TITLE, True),
}
"""The member that an order goes by, and whether from its last to its first."""


@dataclass(frozen=True)
class Filter:
    """Conditions, all of which must hold. An assignee of "" means that there is none."""

    statuses: frozenset[str] = frozenset()
    assignee: str | None = None
    label: str | None = None
    title_prefix: str = ""
    due_from: datetime | None = None
    due_before: datetime | None = None


@dataclass(frozen=True)
class Query:
    """A page of one list; `after` is the position of the last task before the page."""

    list: str
    limit: int
    sort: Sort = Sort.NEWEST
    filter: Filter = Filter()
    after: str | None = None

    @cached_property
    def identity(self) -> str:
        """What a cursor belongs to: the list, its order and its conditions, whatever the page."""
        f = self.filter
        conditions = (sorted(f.statuses), f.assignee, f.label, f.title_prefix, str(f.due_from), str(f.due_before))
        text = repr((self.list, self.sort.value, conditions))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def key(self) -> str:
        """What an answer belongs to: the identity and the page."""
        text = repr((self.identity, self.limit, self.after))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def one_more(self) -> "Query":
        """With one task beyond the page, which tells whether there is a next one."""
        return replace(self, limit=self.limit + 1)


def list_of(scope: Scope, user_id: str) -> str:
    """The name of a user's list."""
    return f"{scope.value}:{user_id}"


def lists_of(task: Task) -> frozenset[str]:
    """The lists that a task is in: none once it is deleted."""
    if task.deleted_at is not None:
        return frozenset()
    lists = {list_of(Scope.MINE, task.created_by)}
    if task.assignee is not None:
        lists.add(list_of(Scope.ASSIGNED, task.assignee))
    return frozenset(lists)


def positions(task: Task) -> dict[str, str]:
    """Where a task stands in every order."""
    return {
        BY_AGE: task.id,
        BY_DUE: f"{due_key(task.due_at)}/{task.id}",
        BY_UPDATE: f"{moment_key(task.updated_at)}/{task.id}",
        BY_TITLE: f"{title_key(task.title)}\x00{task.id}",
    }


def position(task: Task, sort: Sort) -> str:
    """Where a task stands in this order."""
    return positions(task)[ORDERS[sort][0]]


def title_key(text: str) -> str:
    """The form in which titles are compared: composed, without case, of bounded length."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)[:MAX_TITLE_KEY]


def label_line(labels: Iterable[str]) -> str:
    """All labels as one text, which an index can hold without becoming one of arrays."""
    return "\n" + "".join(f"{label}\n" for label in labels)


def label_pattern(label: str) -> str:
    """The regular expression of a `label_line` with this label; no label has a line break in it."""
    return re.escape(label_line((label,)))


def moment_key(moment: datetime) -> str:
    """A time after 1970 as a text that sorts like the time."""
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000:015d}"


def due_key(due_at: datetime | None) -> str:
    return NO_DUE if due_at is None else moment_key(due_at)


@dataclass
class Range:
    """From `low`, included unless it is `open`, to `high`, not included; None is no end."""

    low: str | None = None
    low_open: bool = False
    high: str | None = None

    def from_(self, low: str, *, open_: bool = False) -> None:
        """Begins at this, or where it began if that is later."""
        if self.low is None or (low, open_) > (self.low, self.low_open):
            self.low, self.low_open = low, open_

    def before(self, high: str) -> None:
        """Ends before this, or where it ended if that is earlier."""
        self.high = high if self.high is None else min(high, self.high)


def ranges(query: Query) -> dict[str, Range]:
    """By member of an entry, the range that the query's page and conditions leave of it."""
    found: dict[str, Range] = {}
    wanted = query.filter
    if wanted.due_from is not None or wanted.due_before is not None:
        due = found.setdefault(BY_DUE, Range())
        due.before(NO_DUE)  # no due date is in no range of dates
        if wanted.due_from is not None:
            due.from_(due_key(wanted.due_from))
        if wanted.due_before is not None:
            due.before(due_key(wanted.due_before))
    prefix = title_key(wanted.title_prefix)
    if prefix:
        title = found.setdefault(BY_TITLE, Range())
        title.from_(prefix)
        if (end := _after_all_with(prefix)) is not None:
            title.before(end)
    if query.after is not None:
        member, backwards = ORDERS[query.sort]
        page = found.setdefault(member, Range())
        if backwards:
            page.before(query.after)
        else:
            page.from_(query.after, open_=True)
    return found


def _after_all_with(prefix: str) -> str | None:
    """The first text after all that begin with the prefix; None when nothing comes after them."""
    head = prefix.rstrip(LAST_CHARACTER)
    if not head:
        return None
    following = ord(head[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no characters
        following = 0xE000
    return head[:-1] + chr(following)
