"""Every alert, in Prometheus' own evaluation: a story in which it fires, and one in which it does not."""

from __future__ import annotations

import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from taskservice_observability import slo
from taskservice_observability.alerts import ALL
from taskservice_observability.build import GENERATED
from taskservice_operator.api.spec import Latency, Slo
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.objectives import build_objectives
from testkit.alert_cases import SLO_STORIES, STORIES, Story, write

ROOT = Path(__file__).resolve().parents[3]
RULES = [ROOT / GENERATED / "rules" / name for name in ("recording.yaml", "alerts.yaml")]


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return found


@pytest.fixture(scope="session")
def objective_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules of a TaskService as the operator writes them."""
    promised = Slo(Decimal("99.9"), Latency(99, 300))
    rules, _ = build_objectives(Owner("web", "shop", "uid"), promised, prometheus_rules=False)
    ((name, text),) = rules["data"].items()
    path = tmp_path_factory.mktemp("objectives") / name
    path.write_text(text)
    return path


def ask(promtool: str, *words: str | Path) -> None:
    ended = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]


def test_the_rules_are_valid(promtool: str, objective_rules: Path) -> None:
    ask(promtool, "check", "rules", *RULES, objective_rules)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.test()["name"])
def test_an_alert_fires_when_it_should_and_only_then(promtool: str, story: Story, tmp_path: Path) -> None:
    ask(promtool, "test", "rules", write(tmp_path / "test.yaml", RULES, [story]))


@pytest.mark.parametrize("story", SLO_STORIES, ids=lambda story: story.test()["name"])
def test_a_budget_that_burns_is_told_at_its_pace(
    promtool: str, story: Story, objective_rules: Path, tmp_path: Path
) -> None:
    ask(promtool, "test", "rules", write(tmp_path / "test.yaml", [objective_rules], [story]))


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "does not fire"])
def test_no_alert_is_without_its_story(fires: bool) -> None:
    told = {story.alert for story in (*STORIES, *SLO_STORIES) if story.fires is fires}
    always = set() if fires else {"Watchdog"}
    assert {alert.name for alert in ALL} | set(slo.SLO_ALERTS) == told | always


def test_a_story_with_the_wrong_ending_fails(promtool: str, tmp_path: Path) -> None:
    """Guards the stories themselves: one that could not fail would prove nothing."""
    wrong = Story("OperatorDown", False, {'up{job="taskservice-operator"}': "0x30"})
    ended = subprocess.run(
        [promtool, "test", "rules", write(tmp_path / "test.yaml", RULES, [wrong])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "got" in ended.stdout + ended.stderr


def test_the_operators_rules_are_json_that_yaml_readers_read(objective_rules: Path) -> None:
    assert json.loads(objective_rules.read_text())["groups"]
