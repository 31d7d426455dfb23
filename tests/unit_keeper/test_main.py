"""What the command line takes and refuses; nothing is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_keeper.__main__ import main


def test_a_restore_of_something_unknown_lists_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"KEEPER_MONGODB_URL": "mongodb://u:hidden@127.0.0.1:1/"}
    assert main(["mongodb", "restore", "--folder", str(tmp_path), "latest"], environment) == 1
    told = capsys.readouterr().err
    assert told.startswith("keeper mongodb restore: There is no backup 'latest'")
    assert "hidden" not in told


@pytest.mark.parametrize("url", ["", "http://127.0.0.1"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mongodb", "contents"], {"KEEPER_MONGODB_URL": url}) == 1
    assert "KEEPER_MONGODB_URL is not set to an address of MongoDB" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["vault", "restore", "--address", "http://v", "--keys", "vault-keys", "--folder", "/b", "latest"],
        ["vault", "bootstrap", "--address", "http://v", "--keys", "a/b", "--desired", "f", "--shares", "0"],
        ["mongodb", "backup", "--folder", "/b", "--keep", "0"],
        ["mongodb"],
    ],
)
def test_arguments_that_cannot_be_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(words, {})


def test_outside_of_a_cluster_the_keys_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "desired.json"
    file.write_text("{}")
    words = ["vault", "bootstrap", "--address", "http://127.0.0.1:1", "--keys", "secrets/k", "--desired", str(file)]
    assert main(words, {}) == 1
    assert "runs in a pod with a ServiceAccount" in capsys.readouterr().err
