"""Generated files are what the code says, and whoever changes them by hand is told."""

from pathlib import Path

import pytest

from taskservice_observability import build


def test_what_was_written_is_not_stale(tmp_path: Path) -> None:
    build.write(tmp_path)
    assert build.stale(tmp_path) == []


def test_a_file_that_was_edited_removed_or_left_behind_is_named(tmp_path: Path) -> None:
    build.write(tmp_path)
    generated = tmp_path / build.GENERATED
    (generated / "rules" / "alerts.yaml").write_text("groups: []\n")
    (generated / "dashboards" / "taskservice-slo.json").unlink()
    (generated / "dashboards" / "old.json").write_text("{}")
    assert build.stale(tmp_path) == [
        "observability/generated/rules/alerts.yaml is not what the code says",
        "observability/generated/dashboards/taskservice-slo.json is not what the code says",
        "observability/generated/dashboards/old.json is not generated any more",
    ]
    build.write(tmp_path)
    assert build.stale(tmp_path) == []


def test_the_command_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check", "--root", str(tmp_path)]) == 1
    assert "run `make gen`" in capsys.readouterr().err
    assert build.main(["--write", "--root", str(tmp_path)]) == 0
    assert build.main(["--check", "--root", str(tmp_path)]) == 0
