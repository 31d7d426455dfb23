"""What is known of the last backup, kept as text and told as metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from taskservice_keeper.backup.record import Record, RecordCollector
from taskservice_keeper.backup.shelf import Backup, Manifest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BACKUP = Backup(
    Manifest(name="mongodb-1", file="f", began=NOON, seconds=3.5, size_bytes=1000, sha256="0"), Path("/backups/f")
)


def test_a_record_survives_being_written_and_read() -> None:
    record = Record().succeeded(BACKUP, kept=4).failed(NOON, "no space\nleft")
    assert Record.from_data(record.as_data()) == record
    assert record.reason == "no space left"


def test_a_failure_forgets_nothing_of_the_last_success() -> None:
    record = Record().succeeded(BACKUP, kept=4).failed(NOON, "x")
    assert (record.last_success, record.name, record.kept) == (NOON, "mongodb-1", 4)


def test_nothing_or_nonsense_counts_as_never() -> None:
    assert Record.from_data({}) == Record()
    assert Record.from_data({"lastSuccess": "yesterday"}) == Record()


def test_metrics_say_0_for_never() -> None:
    registry = CollectorRegistry()
    collector = RecordCollector(registry)
    collector.records = {"mongodb": Record().succeeded(BACKUP, kept=4), "vault": Record()}

    def value(name: str, target: str) -> float | None:
        return registry.get_sample_value(f"keeper_backup_{name}", {"target": target})

    assert value("last_success_timestamp_seconds", "mongodb") == NOON.timestamp()
    assert value("last_size_bytes", "mongodb") == 1000
    assert value("last_duration_seconds", "mongodb") == 3.5
    assert value("kept", "mongodb") == 4
    assert value("last_success_timestamp_seconds", "vault") == 0
    assert value("last_failure_timestamp_seconds", "mongodb") == 0
