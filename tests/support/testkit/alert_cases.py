"""For each alert a story in which it fires and one in which it does not, as input of ``promtool test rules``.

A story is a few series in promtool's notation (``start+stepxcount``, one sample a minute) and a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

WEB = 'namespace="shop",taskservice="web"'
COUNT = f"http_server_request_duration_seconds_count{{{WEB},"
BUCKET = f"http_server_request_duration_seconds_bucket{{{WEB},"
THREE_DAYS = "3d6h"
MINUTES = 4800
"""More than three days and six hours of samples."""


@dataclass(frozen=True)
class Story:
    """``series``: name with labels → values.  ``expected``: labels that the firing alert must have."""

    alert: str
    fires: bool
    series: Mapping[str, str]
    at: str = "30m"
    title: str = ""
    expected: Mapping[str, str] = field(default_factory=dict)

    @property
    def pace(self) -> str:
        """How often rules are evaluated: a story of days would take minutes of processor time at one a minute."""
        return "30m" if "d" in self.at else "10m" if self.at.endswith("h") else "1m"

    def test(self) -> dict[str, Any]:
        """The story as a test of promtool, which asks for the series ``ALERTS`` that Prometheus itself writes."""
        chosen = "".join(f',{name}="{value}"' for name, value in self.expected.items())
        question = f'count(ALERTS{{alertname="{self.alert}",alertstate="firing"{chosen}}}) > bool 0 or vector(0)'
        return {
            "interval": "1m",
            "name": f"{self.alert}: {self.title or ('fires' if self.fires else 'does not fire')}",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [
                {"expr": question, "eval_time": self.at, "exp_samples": [{"labels": "{}", "value": int(self.fires)}]}
            ],
        }


def write(path: Path, rule_files: Iterable[Path], stories: Sequence[Story]) -> Path:
    """One file of tests.  The names of tests are for people: promtool of 2.42 does not know them."""
    tests = [{key: value for key, value in story.test().items() if key != "name"} for story in stories]
    (pace,) = {story.pace for story in stories}
    content = {"rule_files": [str(file) for file in rule_files], "evaluation_interval": pace, "tests": tests}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _pair(
    alert: str,
    bad: Mapping[str, str],
    good: Mapping[str, str],
    *,
    at: str = "30m",
    expected: Mapping[str, str] | None = None,
) -> tuple[Story, Story]:
    return Story(alert, True, bad, at, expected=expected or {}), Story(alert, False, good, at)


def steady(value: float, minutes: int = 60) -> str:
    """One value all the time."""
    return f"{value}+0x{minutes}"


def growing(by: float, minutes: int = 60) -> str:
    """A counter that grows by so much a minute."""
    return f"0+{by}x{minutes}"


OPERATOR = 'job="taskservice-operator",instance="a"'
CACHE = f'taskservice_cache_requests_total{{{WEB},cache="task_list",result='
RECONCILE = f"taskservice_reconcile_total{{{OPERATOR},result="
QUEUE = f'workqueue_queue_duration_seconds_bucket{{{OPERATOR},name="taskservice",le='
PHASE, STARTED = f"taskservice_status_phase{{{WEB},phase=", f"taskservice_rollout_started_timestamp_seconds{{{WEB}}}"
READY = f'taskservice_status_condition{{{WEB},condition="Ready",status='
FAILURE, SUCCESS = (
    f'keeper_backup_last_{what}_timestamp_seconds{{target="mongodb"}}' for what in ("failure", "success")
)
IN_SHOP = {"namespace": "shop"}
OF_WEB = IN_SHOP | {"taskservice": "web"}

STORIES: tuple[Story, ...] = (
    Story("Watchdog", True, {}, "5m"),
    *_pair("OperatorDown", {f"up{{{OPERATOR}}}": steady(0)}, {f"up{{{OPERATOR}}}": steady(1)}),
    Story("OperatorDown", True, {}, "10m", "fires when there is not even a target"),
    *_pair(
        "OperatorNoLeader",
        {'taskservice_leader{instance="a"}': steady(0), 'taskservice_leader{instance="b"}': steady(0)},
        {'taskservice_leader{instance="a"}': steady(0), 'taskservice_leader{instance="b"}': steady(1)},
    ),
    *_pair(
        "OperatorReconcileErrors",
        {f'{RECONCILE}"failed"}}': growing(6), f'{RECONCILE}"idle"}}': growing(24)},
        {f'{RECONCILE}"failed"}}': growing(1), f'{RECONCILE}"idle"}}': growing(60)},
    ),
    Story(
        "OperatorReconcileErrors",
        False,
        {f'{RECONCILE}"retried"}}': "0x20 1x40", f'{RECONCILE}"idle"}}': "0x20 1x40"},
        "24m",
        "one failure of two passes wakes nobody",
    ),
    *_pair(
        "OperatorQueueSlow",
        {f'{QUEUE}"10.0"}}': growing(0), f'{QUEUE}"30.0"}}': growing(60), f'{QUEUE}"+Inf"}}': growing(60)},
        {f'{QUEUE}"0.1"}}': growing(60), f'{QUEUE}"10.0"}}': growing(60), f'{QUEUE}"+Inf"}}': growing(60)},
    ),
    *_pair(
        "OperatorVaultTrouble",
        {f"taskservice_vault_secrets_troubled{{{OPERATOR}}}": steady(2)},
        {f"taskservice_vault_secrets_troubled{{{OPERATOR}}}": steady(0)},
    ),
    *_pair(
        "RolloutAborted", {f'{PHASE}"Failed"}}': steady(1)}, {f'{PHASE}"Stable"}}': steady(1)}, at="5m", expected=OF_WEB
    ),
    *_pair(
        "RolloutStuck",
        {STARTED: steady(0, 120), f'{PHASE}"Prescaling"}}': steady(1, 120)},
        {STARTED: steady(0, 120), f'{PHASE}"Verifying"}}': steady(1, 120)},
        at="90m",
        expected=OF_WEB,
    ),
    Story(
        "RolloutStuck",
        False,
        {STARTED: steady(0, 120), f'{PHASE}"Stepping"}}': steady(1, 120)},
        "90m",
        "a canary pauses for as long as its steps say",
    ),
    Story("RolloutStuck", False, {STARTED: steady(3600, 120)}, "90m", "half an hour is no long time"),
    *_pair("TaskServiceNotReady", {f'{READY}"False"}}': steady(1)}, {f'{READY}"True"}}': steady(1)}, expected=OF_WEB),
    Story(
        "TaskServiceNotReady",
        False,
        {f'{READY}"False"}}': steady(1), STARTED: steady(60)},
        "30m",
        "a release under way explains it",
    ),
    *_pair(
        "TaskServicePodsUnreachable",
        {f'up{{job="taskservice",{WEB},pod="{n}"}}': steady(int(n == 0)) for n in range(3)},
        {f'up{{job="taskservice",{WEB},pod="{n}"}}': steady(int(n != 0)) for n in range(3)},
        expected=OF_WEB,
    ),
    *_pair(
        "TaskServiceErrorRatioHigh",
        {
            f'{COUNT}http_response_status_code="500"}}': growing(6),
            f'{COUNT}http_response_status_code="200"}}': growing(54),
        },
        {
            f'{COUNT}http_response_status_code="500"}}': growing(1),
            f'{COUNT}http_response_status_code="200"}}': growing(59),
        },
        expected=OF_WEB,
    ),
    Story(
        "TaskServiceErrorRatioHigh",
        False,
        {f'{COUNT}http_response_status_code="500"}}': growing(1)},
        "30m",
        "a request a minute is no traffic",
    ),
    *_pair(
        "CircuitBreakerOpen",
        {f'taskservice_circuit_breaker_state{{{WEB},target="grpc"}}': steady(2)},
        {f'taskservice_circuit_breaker_state{{{WEB},target="grpc"}}': steady(1)},
        expected=OF_WEB | {"target": "grpc"},
    ),
    *_pair(
        "PasswordQueueFull",
        {
            f'taskservice_password_hashes{{{WEB},state="waiting"}}': steady(16),
            f'taskservice_password_hashes_max{{{WEB},state="waiting"}}': steady(16),
        },
        {
            f'taskservice_password_hashes{{{WEB},state="waiting"}}': steady(2),
            f'taskservice_password_hashes_max{{{WEB},state="waiting"}}': steady(16),
        },
        expected=OF_WEB,
    ),
    *_pair(
        "MongoPoolExhausted",
        {
            f'db_client_connection_count{{{WEB},state="used"}}': steady(48),
            f"db_client_connection_max{{{WEB}}}": steady(50),
            f"db_client_connection_pending_requests{{{WEB}}}": steady(3),
        },
        {
            f'db_client_connection_count{{{WEB},state="used"}}': steady(48),
            f"db_client_connection_max{{{WEB}}}": steady(50),
            f"db_client_connection_pending_requests{{{WEB}}}": steady(0),
        },
        expected=OF_WEB,
    ),
    *_pair(
        "MongoPoolTimeouts",
        {f"db_client_connection_timeouts_total{{{WEB}}}": growing(2)},
        {f"db_client_connection_timeouts_total{{{WEB}}}": steady(7)},
        expected=OF_WEB,
    ),
    *_pair(
        "CacheAway",
        {f'{CACHE}"away"}}': growing(60), f'{CACHE}"hit"}}': growing(1)},
        {f'{CACHE}"away"}}': growing(1), f'{CACHE}"hit"}}': growing(60)},
        expected=OF_WEB | {"cache": "task_list"},
    ),
    *_pair(
        "OutboxLagging",
        {'taskservice_outbox_lag_seconds{namespace="shop"}': growing(60)},
        {'taskservice_outbox_lag_seconds{namespace="shop"}': steady(30)},
        expected=IN_SHOP,
    ),
    *_pair(
        "OutboxNoRelay",
        {f'taskservice_relay_leading{{namespace="shop",pod="{n}"}}': steady(0) for n in range(2)},
        {f'taskservice_relay_leading{{namespace="shop",pod="{n}"}}': steady(n) for n in range(2)},
        expected=IN_SHOP,
    ),
    *_pair(
        "EventsDeadLettered",
        {'taskservice_events_dead_total{namespace="shop",type="task.updated"}': "0x25 1x35"},
        {'taskservice_events_dead_total{namespace="shop",type="task.updated"}': steady(1)},
        expected=IN_SHOP | {"type": "task.updated"},
    ),
    *_pair(
        "RabbitMQDown", {'up{job="rabbitmq",instance="r"}': steady(0)}, {'up{job="rabbitmq",instance="r"}': steady(1)}
    ),
    *_pair(
        "RabbitMQBacklog",
        {f'rabbitmq_queue_messages_ready{{job="rabbitmq",instance="{n}"}}': steady(700) for n in range(2)},
        {f'rabbitmq_queue_messages_ready{{job="rabbitmq",instance="{n}"}}': steady(300) for n in range(2)},
    ),
    *_pair(
        "RabbitMQHoldsPublishers",
        {
            'rabbitmq_alarms_memory_used_watermark{job="rabbitmq"}': steady(0),
            'rabbitmq_alarms_free_disk_space_watermark{job="rabbitmq"}': steady(1),
        },
        {
            'rabbitmq_alarms_memory_used_watermark{job="rabbitmq"}': steady(0),
            'rabbitmq_alarms_free_disk_space_watermark{job="rabbitmq"}': steady(0),
        },
    ),
    *_pair("VaultSealed", {"keeper_vault_sealed": steady(1)}, {"keeper_vault_sealed": steady(0)}),
    *_pair(
        "BackupFailing",
        {FAILURE: steady(600), SUCCESS: steady(300)},
        {FAILURE: steady(300), SUCCESS: steady(600)},
        expected={"target": "mongodb"},
    ),
    *_pair(
        "BackupTooOld",
        {SUCCESS: steady(1, 1700)},
        {SUCCESS: steady(80000, 1700)},
        at="27h",
        expected={"target": "mongodb"},
    ),
    Story("BackupTooOld", False, {SUCCESS: steady(0, 1700)}, "27h", "is not about what was never made"),
    *_pair(
        "BackupNeverMade",
        {SUCCESS: steady(0, 1700)},
        {SUCCESS: "0x1000 60000x700"},
        at="27h",
        expected={"target": "mongodb"},
    ),
    Story("BackupNeverMade", False, {SUCCESS: steady(0, 300)}, "5h", "leaves a new stack its first day"),
)


def requests(*, good: float, bad: float, minutes: int = MINUTES) -> dict[str, str]:
    """Requests a minute, answered well and with 5xx."""
    return {
        f'{COUNT}http_response_status_code="200"}}': growing(good, minutes),
        f'{COUNT}http_response_status_code="503"}}': growing(bad, minutes),
    }


def latencies(*, soon: float, late: float, bound: str = "0.3", minutes: int = MINUTES) -> dict[str, str]:
    """Requests a minute within ``bound`` seconds, and later than that."""
    return {
        f'{COUNT}http_response_status_code="200"}}': growing(soon + late, minutes),
        f'{BUCKET}le="{bound}"}}': growing(soon, minutes),
    }


FAST, SLOW, BLIND = "TaskServiceErrorBudgetBurnFast", "TaskServiceErrorBudgetBurnSlow", "TaskServiceSLOUnmeasurable"
AVAILABILITY, LATENCY = {"slo": "availability"}, {"slo": "latency"}
ONCE = {
    f'{COUNT}http_response_status_code="200"}}': growing(0, 300),
    f'{COUNT}http_response_status_code="503"}}': "0x60 0+1x8 8x200",
}

SLO_STORIES: tuple[Story, ...] = (
    # Promised are 99.9 % without error, and 99 % within 300 ms.
    Story(
        FAST,
        True,
        requests(good=980, bad=20, minutes=100),
        "90m",
        "2 % is twenty times the budget's pace",
        {**AVAILABILITY, "long_window": "1h", "severity": "critical"},
    ),
    Story(FAST, False, requests(good=998, bad=2, minutes=500), "7h", "twice the pace wakes nobody"),
    Story(
        FAST,
        True,
        requests(good=991, bad=9, minutes=500),
        "7h",
        "nine times the pace over six hours",
        {**AVAILABILITY, "long_window": "6h"},
    ),
    Story(
        FAST,
        False,
        requests(good=991, bad=9, minutes=500),
        "7h",
        "nine times the pace is not fourteen",
        {**AVAILABILITY, "long_window": "1h"},
    ),
    Story(FAST, False, ONCE, "75m", "every request bad, but only eight of them"),
    Story(
        SLOW,
        True,
        requests(good=996, bad=4),
        THREE_DAYS,
        "four times the pace for days",
        {**AVAILABILITY, "long_window": "1d", "severity": "warning"},
    ),
    Story(
        SLOW,
        True,
        requests(good=998, bad=2),
        THREE_DAYS,
        "twice the pace for three days",
        {**AVAILABILITY, "long_window": "3d"},
    ),
    Story(
        SLOW,
        False,
        requests(good=998, bad=2),
        THREE_DAYS,
        "twice the pace is not three times",
        {**AVAILABILITY, "long_window": "1d"},
    ),
    Story(SLOW, False, requests(good=9995, bad=5), THREE_DAYS, "half the pace is what a budget is for"),
    Story(FAST, True, latencies(soon=800, late=200, minutes=100), "90m", "one in five late", LATENCY),
    Story(FAST, False, latencies(soon=995, late=5, minutes=100), "90m", "half a percent late is within the promise"),
    Story(
        FAST,
        True,
        latencies(soon=800, late=200, bound="0.30", minutes=1) | latencies(soon=800, late=200, minutes=100),
        "90m",
        "another bucket beside it changes nothing",
        LATENCY,
    ),
    Story(
        SLOW, True, latencies(soon=960, late=40), THREE_DAYS, "four times the pace", {**LATENCY, "long_window": "1d"}
    ),
    Story(SLOW, False, latencies(soon=995, late=5), THREE_DAYS, "half the pace"),
    Story(BLIND, True, latencies(soon=10, late=0, bound="0.25", minutes=100), "90m", "no bucket ends there", OF_WEB),
    Story(BLIND, False, latencies(soon=10, late=0, minutes=100), "90m", "there is a bucket"),
    Story(BLIND, False, latencies(soon=0, late=0, bound="0.25", minutes=100), "90m", "nobody asks"),
)
