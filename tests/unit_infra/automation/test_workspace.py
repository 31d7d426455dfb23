"""Where an engine works: the checkout's stack files are never written, secrets are for their owner only."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_infra.automation.workspace import Place, merged


def test_what_the_engine_added_stays_and_what_the_file_says_rules() -> None:
    given = {"config": {"data:mongodb": {"provider": "dev"}}}
    engine = {
        "encryptionsalt": "v1:salt",
        "config": {"data:mongodb": {"provider": "external"}, "data:seed": {"secure": "v1:x"}, "data:old": 1},
    }
    assert merged(given, engine, "data") == {
        "encryptionsalt": "v1:salt",
        "config": {"data:mongodb": {"provider": "dev"}, "data:seed": {"secure": "v1:x"}},
    }


def test_a_seed_in_the_stack_file_is_the_one_that_counts() -> None:
    given = {"encryptionsalt": "v1:own", "config": {"data:seed": {"secure": "own"}}}
    engine = {"encryptionsalt": "v1:salt", "config": {"data:seed": {"secure": "other"}}}
    assert merged(given, engine, "data") == given


def test_the_passphrase_is_made_once_and_only_its_owner_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    place = Place("local", tmp_path / "pulumi")
    place.prepare()
    assert place.passphrase() == place.passphrase()
    assert (place.folder / "passphrase").stat().st_mode & 0o777 == 0o600
    assert place.folder.stat().st_mode & 0o777 == 0o700


def test_a_passphrase_and_a_backend_of_the_environment_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("staging", tmp_path)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    assert (place.passphrase(), place.backend) == ("mine", "s3://state")


def test_a_project_is_up_where_the_backend_holds_its_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("local", tmp_path)
    assert not place.holds("secrets")
    state = tmp_path / "backend/.pulumi/stacks/secrets/local.json"
    state.parent.mkdir(parents=True)
    state.touch()
    assert place.holds("secrets")
    # Of a bucket only the engine knows: it is asked later, and says the same by the setting's key.
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
    assert place.holds("data")
