"""How the database tools are called, with tools that are scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taskservice_keeper.backup.shelf import Shelf
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.mongodb.dump import Tools, restore

URL = "mongodb://backup:hidden@m0:27017/?replicaSet=rs0"


def tool(folder: Path, script: str) -> str:
    file = folder / "tool"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_a_dump_takes_operations_too_and_the_password_is_in_a_private_file_that_is_gone_afterwards(
    tmp_path: Path,
) -> None:
    script = f"""echo "$@" > {tmp_path}/arguments
for word; do case $word in --config=*) file=${{word#--config=}};; esac; done
cp -p "$file" {tmp_path}/configuration"""
    Tools(mongodump=tool(tmp_path, script)).dump(URL, tmp_path / "archive")
    arguments = (tmp_path / "arguments").read_text()
    assert "--oplog" in arguments
    assert "hidden" not in arguments
    assert (tmp_path / "configuration").read_text() == f'{{"uri": "{URL}"}}'
    assert (tmp_path / "configuration").stat().st_mode & 0o777 == 0o600
    assert not Path(arguments.split("--config=")[1].strip()).exists()


def test_what_a_tool_says_last_is_told_without_the_address(tmp_path: Path) -> None:
    tools = Tools(mongodump=tool(tmp_path, f"echo 'Failed: no reply from {URL} in time' >&2; exit 1"))
    with pytest.raises(KeeperError, match=r"tool failed: Failed: no reply from \(address\) in time"):
        tools.dump(URL, tmp_path / "archive")


def test_a_tool_that_is_absent_or_never_ends_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeeperError, match="not in this image"):
        Tools(mongodump=str(tmp_path / "absent")).dump(URL, tmp_path / "archive")
    with pytest.raises(KeeperError, match="did not end within"):
        Tools(mongodump=tool(tmp_path, "exec sleep 20"), bounds=0.2).dump(URL, tmp_path / "archive")


def test_a_damaged_dump_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "mongodb", "archive.gz")
    with shelf.adding() as partial:
        partial.write_text("data")
        backup = shelf.add(partial)
    backup.file.write_text("other")
    with pytest.raises(KeeperError, match="damaged"):
        restore("mongodb://127.0.0.1:1", backup, shelf, Tools(), replace=True, say=print)
    assert os.listdir(tmp_path)
