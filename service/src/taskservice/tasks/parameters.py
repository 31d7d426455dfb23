"""Parameters of the endpoints that are more than one value: conditions of a list, and preconditions."""

import re
from typing import Annotated

from fastapi import Depends, Header, Query

from taskservice.kit.bearer import Caller
from taskservice.tasks.listing import Filter
from taskservice.tasks.schemas import UNASSIGNED, Label, Moment, Status, TitlePrefix, UserId
from taskservice.tasks.service import Versions

ME = "me"
MAX_STATUSES = 3
ENTITY_TAG = re.compile(r'"([0-9]{1,15})"')


async def _filters(
    caller: Caller,
    status: Annotated[
        list[Status] | None, Query(max_length=MAX_STATUSES, description="Given several times, any of them.")
    ] = None,
    assignee: Annotated[UserId | None, Query(description=f"A user's id, `{ME}`, or `{UNASSIGNED}`.")] = None,
    label: Annotated[Label | None, Query()] = None,
    title_prefix: Annotated[
        TitlePrefix | None, Query(description="What the title begins with, whatever the case. Fastest by title.")
    ] = None,
    due_from: Annotated[Moment | None, Query(description="Due then or later.")] = None,
    due_before: Annotated[Moment | None, Query(description="Due earlier.")] = None,
) -> Filter:
    who = {ME: caller.user_id, UNASSIGNED: ""}
    return Filter(
        statuses=frozenset(one.value for one in status or ()),
        assignee=who.get(assignee, assignee) if assignee is not None else None,
        label=label,
        title_prefix=title_prefix or "",
        due_from=due_from,
        due_before=due_before,
    )


async def _if_match(
    if_match: Annotated[
        str | None,
        Header(
            max_length=1024, description="Entity tags of what may be changed; `*` or nothing for whatever is there."
        ),
    ] = None,
) -> Versions:
    """A tag that is none of ours, a weak one included, matches nothing (RFC 9110, 13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (ENTITY_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


Filters = Annotated[Filter, Depends(_filters)]
IfMatch = Annotated[Versions, Depends(_if_match)]
