"""Which backups count, which are kept, and which are not what they were."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_keeper.backup.shelf import Retention, Shelf
from taskservice_keeper.errors import KeeperError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(tmp_path: Path, clock: Clock) -> Shelf:
    return Shelf(tmp_path, "mongodb", "archive.gz", clock)


def put(shelf: Shelf, clock: Clock, content: str = "data") -> str:
    clock.now += timedelta(hours=1)
    with shelf.adding() as partial:
        partial.write_text(content)
        return shelf.add(partial, {"server": "6.0.5"}).manifest.name


def test_a_backup_counts_once_its_manifest_is_there_and_knows_what_it_is(shelf: Shelf, clock: Clock) -> None:
    name = put(shelf, clock)
    (found,) = shelf.finished()
    assert name == "mongodb-20261124T130000Z"
    assert (found.manifest.size_bytes, found.manifest.details) == (4, {"server": "6.0.5"})
    shelf.verify(found)
    assert [path.name for path in shelf.folder.iterdir() if path.name.startswith(".")] == []


def test_one_that_was_cut_off_does_not_count_and_is_cleared_away(shelf: Shelf, clock: Clock) -> None:
    name = put(shelf, clock)
    (shelf.folder / ".mongodb-7.partial").write_text("half")
    (shelf.folder / "mongodb-20261124T090000Z.archive.gz").write_text("no manifest")
    assert [backup.manifest.name for backup in shelf.finished()] == [name]
    other = put(shelf, clock)
    shelf.tidy(Retention(7, 0))
    left = sorted(path.name for path in shelf.folder.iterdir())
    assert left == sorted([f"{each}.{ending}" for each in (name, other) for ending in ("archive.gz", "json")])


def test_an_error_while_writing_leaves_nothing(shelf: Shelf) -> None:
    def breaks() -> None:
        with shelf.adding() as partial:
            partial.write_text("half")
            raise OSError

    with pytest.raises(OSError):
        breaks()
    assert list(shelf.folder.iterdir()) == []


def test_an_empty_file_is_no_backup(shelf: Shelf) -> None:
    with shelf.adding() as partial:
        partial.touch()
        with pytest.raises(KeeperError, match="empty"):
            shelf.add(partial)
    assert shelf.finished() == []


def test_a_file_that_changed_is_found_damaged(shelf: Shelf, clock: Clock) -> None:
    put(shelf, clock)
    (found,) = shelf.finished()
    found.file.write_text("dat4")
    with pytest.raises(KeeperError, match="damaged"):
        shelf.verify(found)


def test_a_backup_is_found_by_name_or_as_the_latest_and_the_others_are_listed(shelf: Shelf, clock: Clock) -> None:
    first, second = put(shelf, clock), put(shelf, clock)
    assert shelf.find("latest").manifest.name == second
    assert shelf.find(first).manifest.name == first
    with pytest.raises(KeeperError, match=f"There are: {second}, {first}"):
        shelf.find("mongodb-1")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeeperError, match="cannot be written"), Shelf(tmp_path / "absent", "vault", "snap").adding():
        pass


def test_two_kinds_share_a_folder_without_seeing_each_other(shelf: Shelf, clock: Clock) -> None:
    put(shelf, clock)
    other = Shelf(shelf.folder, "vault", "snap", clock)
    assert other.finished() == []
    other.tidy(Retention(1, 0))
    assert len(shelf.finished()) == 1


def test_the_newest_are_kept_and_one_of_each_of_the_last_days() -> None:
    every_six_hours = [NOON - timedelta(hours=6 * number) for number in range(40)]
    kept = sorted(set(every_six_hours) - set(Retention(newest=3, days=4).dropped(every_six_hours)), reverse=True)
    assert [f"{moment:%d %H}" for moment in kept] == ["24 12", "24 06", "24 00", "23 18", "22 18", "21 18"]


@given(
    st.lists(st.integers(min_value=0, max_value=5000), unique=True),
    st.integers(min_value=0, max_value=9),
    st.integers(min_value=0, max_value=9),
)
def test_the_newest_backup_is_never_given_up_and_tidying_twice_drops_nothing_more(
    hours: list[int], newest: int, days: int
) -> None:
    moments = [NOON - timedelta(hours=number) for number in hours]
    retention = Retention(newest, days)
    dropped = retention.dropped(moments)
    left = [moment for moment in moments if moment not in dropped]
    assert retention.dropped(left) == []
    if moments:
        assert max(moments) in left


def test_the_file_is_on_disk_before_it_counts(shelf: Shelf, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    name = put(shelf, clock)
    assert synced == [f".mongodb-{os.getpid()}.partial", f".{name}.json.partial"]
