"""How the last backup went, as the record that jobs leave behind and that becomes metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from taskservice_keeper.backup.shelf import Backup

PREFIX = "keeper_backup_"


@dataclass(frozen=True)
class Record:
    """The last success and the last failure of one target; None for what never happened."""

    last_success: datetime | None = None
    last_failure: datetime | None = None
    name: str = ""
    size_bytes: int = 0
    seconds: float = 0.0
    kept: int = 0
    reason: str = ""

    def succeeded(self, backup: Backup, kept: int) -> Record:
        """The record after a backup that is on the shelf."""
        manifest = backup.manifest
        return Record(
            manifest.began, self.last_failure, manifest.name, manifest.size_bytes, manifest.seconds, kept, self.reason
        )

    def failed(self, moment: datetime, reason: str) -> Record:
        """The record after one that did not end well; what is known of the last success stays."""
        return Record(
            self.last_success,
            moment,
            self.name,
            self.size_bytes,
            self.seconds,
            self.kept,
            " ".join(reason.split())[:400],
        )

    def as_data(self) -> dict[str, str]:
        """As data of a ConfigMap."""
        return {
            "lastSuccess": _moment(self.last_success),
            "lastFailure": _moment(self.last_failure),
            "name": self.name,
            "sizeBytes": str(self.size_bytes),
            "seconds": str(self.seconds),
            "kept": str(self.kept),
            "reason": self.reason,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Record:
        """From such data; anything that is absent or odd counts as never."""
        try:
            return cls(
                _parsed(data.get("lastSuccess", "")),
                _parsed(data.get("lastFailure", "")),
                data.get("name", ""),
                int(data.get("sizeBytes") or 0),
                float(data.get("seconds") or 0),
                int(data.get("kept") or 0),
                data.get("reason", ""),
            )
        except ValueError:
            return cls()


class RecordCollector(Collector):
    """Metrics of all targets, out of what was read last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records: Mapping[str, Record] = {}
        registry.register(self)

    def collect(self) -> list[GaugeMetricFamily]:
        families = {
            "last_success_timestamp_seconds": "When the last backup that is on the shelf began; 0: never",
            "last_failure_timestamp_seconds": "When a backup failed last; 0: never",
            "last_size_bytes": "Size of the last backup",
            "last_duration_seconds": "How long the last backup took",
            "kept": "How many backups are on the shelf",
        }
        found = {name: GaugeMetricFamily(PREFIX + name, about, labels=["target"]) for name, about in families.items()}
        for target, record in self.records.items():
            found["last_success_timestamp_seconds"].add_metric([target], _seconds(record.last_success))
            found["last_failure_timestamp_seconds"].add_metric([target], _seconds(record.last_failure))
            found["last_size_bytes"].add_metric([target], record.size_bytes)
            found["last_duration_seconds"].add_metric([target], record.seconds)
            found["kept"].add_metric([target], record.kept)
        return list(found.values())


def _moment(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _parsed(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
