"""A part is in the cache whole or not at all, whatever happens during its build; Go is played by a shell script."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from taskservice_local import builder
from taskservice_local.errors import LocalError
from taskservice_local.parts import Part

GIB = 1024**3
PART = Part("etcd", "", "v9", (("etcd", "example.org/etcd"),), home="cluster")
TWO = Part("etcd", "", "v9", (("one", "example.org/one"), ("two", "example.org/two")), home="cluster")


@pytest.fixture
def go(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that writes its last -o as a program, and a line to `calls`."""
    script = tmp_path / "go"
    script.write_text(f"""#!/bin/sh
echo called >> {tmp_path}/calls
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
echo example.org/etcd >&2
[ -e {tmp_path}/broken ] && {{ echo half > "$out"; echo "does not compile" >&2; exit 1; }}
sleep 0.2
echo program > "$out"
""")
    script.chmod(0o755)
    monkeypatch.setattr(builder, "ensure_go", lambda: script)
    return script


def calls(go: Path) -> int:
    file = go.with_name("calls")
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_part_that_is_built_is_not_built_again(go: Path) -> None:
    builder.build((PART,))
    builder.build((PART,))
    assert PART.binary("etcd").read_text() == "program\n"
    assert calls(go) == 1


def test_a_build_that_fails_leaves_nothing_and_says_what_the_compiler_said(go: Path) -> None:
    go.with_name("broken").touch()
    with pytest.raises(LocalError, match="does not compile"):
        builder.build((PART,))
    assert not PART.built
    assert list(PART.folder.parent.iterdir()) == []


def test_what_an_interrupted_build_left_is_never_used_and_swept_by_the_next(go: Path) -> None:
    left = PART.folder.parent / ".partial-v9-left" / "bin"
    left.mkdir(parents=True)
    (left / "etcd").write_text("half")
    assert not PART.built
    builder.build((PART,))
    assert PART.binary("etcd").read_text() == "program\n"
    assert not left.exists()


def test_two_builders_of_one_part_compile_it_once(go: Path) -> None:
    threads = [threading.Thread(target=builder.build, args=((PART,),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert PART.built
    assert calls(go) == 1


def test_what_a_part_keeps_of_its_module_is_copied_and_may_be_removed_again(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = tmp_path / "module" / "charts" / "x"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: x")
    (chart / "Chart.yaml").chmod(0o444)
    chart.chmod(0o555)
    monkeypatch.setattr(builder, "run", lambda *_, **__: f"{tmp_path}/module\n")
    part = dataclasses.replace(PART, data=("charts/x",))
    builder.build((part,))
    kept = part.kept("charts/x") / "Chart.yaml"
    assert kept.read_text() == "name: x"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert part.folder != PART.folder


def test_the_binary_of_a_missing_part_is_built_when_asked_for(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "part_of", lambda _: PART)
    assert builder.ensure_binary("etcd").read_text() == "program\n"


@pytest.mark.parametrize(
    ("memory", "processors", "jobs"), [(24 * GIB, 2, 3), (5 * GIB, 8, 2), (1 * GIB, 8, 1), (64 * GIB, 16, 17)]
)
def test_as_many_compilers_run_as_memory_and_processors_allow(memory: int, processors: int, jobs: int) -> None:
    assert builder.jobs_for(memory, processors) == jobs


def test_compilers_collect_garbage_only_where_memory_is_short() -> None:
    assert builder.collecting_for(16 * GIB, 2) == {"GOGC": "400"}
    assert builder.collecting_for(7 * GIB, 2) == {}


def test_one_program_gets_its_own_name_and_several_get_a_folder() -> None:
    out = Path("/out")
    (one,) = builder.build_commands(Path("go"), PART, out, 2)
    assert one[-3:] == ["-o", "/out/etcd", "example.org/etcd"]
    (both,) = builder.build_commands(Path("go"), TWO, out, 2)
    assert both[-4:] == ["-o", "/out/", "example.org/one", "example.org/two"]


def test_programs_whose_packages_bear_another_name_are_built_one_by_one() -> None:
    part = dataclasses.replace(TWO, programs=(("one", "example.org/one/main"), ("two", "example.org/two/main")))
    commands = builder.build_commands(Path("go"), part, Path("/out"), 2)
    assert [command[-2:] for command in commands] == [
        ["/out/one", "example.org/one/main"],
        ["/out/two", "example.org/two/main"],
    ]


def test_a_generator_completes_a_copy_of_the_sources_before_they_are_compiled(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts" / "cluster").mkdir(parents=True)
    (tmp_path / "parts" / "cluster" / "main.go").write_text("package main")
    monkeypatch.setattr("taskservice_local.parts.PARTS_SOURCE", tmp_path / "parts")
    calls: list[tuple[list[str], Path]] = []

    def run(argv: list[object], *, cwd: Path, **_: object) -> str:
        calls.append(([str(word) for word in argv], cwd))
        assert (cwd / "main.go").read_text() == "package main"
        return json.dumps({"Dir": "/modules/etcd"})

    monkeypatch.setattr(builder, "run", run)
    part = dataclasses.replace(PART, module="example.org/etcd", generator=("./generate", "9"))
    builder.build((part,))
    assert part.binary("etcd").exists()
    assert calls[1][0][1:] == ["run", "-mod=readonly", "./generate", "/modules/etcd", "9"]
    assert not calls[1][1].is_relative_to(tmp_path / "parts")  # the checkout is left as it is
    assert [path.name for path in part.folder.iterdir()] == ["bin"]
    assert part.folder != PART.folder
