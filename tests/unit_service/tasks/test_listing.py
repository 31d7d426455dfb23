"""Positions sort as what they stand for, and ranges hold what their conditions say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.kit.ids import new_id
from taskservice.tasks.listing import (
    BY_DUE,
    BY_TITLE,
    BY_UPDATE,
    MAX_TITLE_KEY,
    Filter,
    Query,
    Scope,
    Sort,
    due_key,
    list_of,
    lists_of,
    moment_key,
    positions,
    ranges,
    title_key,
)
from taskservice.tasks.model import Task

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 1), datetime(8999, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
# What the request's validation lets through: no control characters, and no surrogates.
lines = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)


def a_task(**fields: object) -> Task:
    values = {"id": new_id(), "title": "t", "created_by": "ann", "created_at": NOW, "updated_at": NOW}
    return Task(**values | fields)  # pyright: ignore[reportArgumentType]


@given(moments, moments)
def test_times_sort_as_text(one: datetime, two: datetime) -> None:
    assert (moment_key(one) < moment_key(two)) == (one < two)
    assert (moment_key(one) == moment_key(two)) == (one == two)
    assert due_key(one) < due_key(None)


def test_a_time_is_the_same_in_every_zone() -> None:
    assert moment_key(NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)) == moment_key(NOW)
    assert moment_key(NOW + timedelta(milliseconds=1)) == f"{int(NOW.timestamp()) * 1000 + 1:015d}"


@given(lines, lines)
def test_the_range_of_a_prefix_holds_the_titles_that_begin_with_it(prefix: str, title: str) -> None:
    span = ranges(Query("l", 1, filter=Filter(title_prefix=prefix))).get(BY_TITLE)
    place = positions(a_task(title=title))[BY_TITLE]
    inside = span is None or ((span.low or "") <= place and (span.high is None or place < span.high))
    assert inside == title_key(title).startswith(title_key(prefix))


@pytest.mark.parametrize("prefix", ["\U0010ffff", "a\U0010ffff", "\ud7ff", "A" * 300, "ß"], ids=ascii)
def test_the_range_of_an_odd_prefix_holds_itself_and_what_follows(prefix: str) -> None:
    span = ranges(Query("l", 1, filter=Filter(title_prefix=prefix)))[BY_TITLE]
    for title in (prefix, prefix + "x", prefix + "\U0010fffe"):
        place = positions(a_task(title=title))[BY_TITLE]
        assert (span.low or "") <= place
        assert span.high is None or place < span.high


def test_titles_are_compared_without_case_and_composed() -> None:
    assert title_key("STRASSE") == title_key("straße") == "strasse"
    assert title_key("e\u0301") == title_key("É")
    assert len(title_key("ﷺ" * 200)) == MAX_TITLE_KEY


def test_a_condition_and_a_page_narrow_the_same_range() -> None:
    wanted = Filter(due_from=NOW, due_before=NOW + timedelta(days=2))
    after = f"{due_key(NOW + timedelta(days=1))}/{new_id()}"
    forwards = ranges(Query("l", 1, sort=Sort.DUE, filter=wanted, after=after))[BY_DUE]
    assert (forwards.low, forwards.low_open, forwards.high) == (after, True, due_key(wanted.due_before))
    backwards = ranges(Query("l", 1, sort=Sort.DUE_LAST, filter=wanted, after=after))[BY_DUE]
    assert (backwards.low, backwards.low_open, backwards.high) == (due_key(NOW), False, after)
    assert ranges(Query("l", 1, filter=wanted, sort=Sort.UPDATED_LAST, after="x"))[BY_UPDATE].high == "x"


def test_a_task_is_in_the_list_of_its_owner_and_of_its_assignee_until_it_is_deleted() -> None:
    assert lists_of(a_task()) == {list_of(Scope.MINE, "ann")}
    assert lists_of(a_task(assignee="bob")) == {list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "bob")}
    assert lists_of(a_task(assignee="ann")) == {list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "ann")}
    assert lists_of(a_task(assignee="bob", deleted_at=NOW)) == set()


def test_every_part_of_a_query_is_part_of_what_a_cursor_belongs_to() -> None:
    other = [
        Query("m", 1),
        Query("l", 1, sort=Sort.DUE),
        *(
            Query("l", 1, filter=Filter(**{name: value}))
            for name, value in {
                "statuses": frozenset({"done"}),
                "assignee": "",
                "label": "x",
                "title_prefix": "x",
                "due_from": NOW,
                "due_before": NOW,
            }.items()
        ),
    ]
    assert len({query.identity for query in [Query("l", 1), *other]}) == len(other) + 1
    assert Query("l", 1).identity == Query("l", 2, after="x").identity
    assert len({Query("l", 1).key, Query("l", 2).key, Query("l", 1, after="x").key}) == 3
