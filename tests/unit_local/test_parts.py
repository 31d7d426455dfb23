"""The catalogue and the modules it names agree, and a part's folder changes with whatever decides its binaries."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from taskservice_local.errors import LocalError
from taskservice_local.parts import (
    CATALOGUE,
    ETCD,
    KUBERNETES,
    NEEDED_AFTERWARDS,
    NEEDED_FOR_A_NODE,
    PULUMI_KUBERNETES,
    PULUMI_KUBERNETES_RELEASE,
    Part,
    part_named,
    part_of,
)
from taskservice_local.paths import PARTS_SOURCE

BUILT_FROM_MODULES = [part for part in CATALOGUE if part.module]


@pytest.mark.parametrize("part", BUILT_FROM_MODULES, ids=lambda part: part.name)
def test_a_parts_version_is_the_one_its_module_pins(part: Part) -> None:
    assert f"{part.module} {part.version}" in (part.source / "go.mod").read_text()
    assert f"{part.module} {part.version} h1:" in (part.source / "go.sum").read_text()


@pytest.mark.parametrize("part", BUILT_FROM_MODULES, ids=lambda part: part.name)
def test_a_parts_programs_are_tools_of_its_module_or_a_main_beside_it(part: Part) -> None:
    text = (part.source / "go.mod").read_text()
    for _, package in part.programs:
        if package.startswith("."):
            assert re.search(rf'"{re.escape(part.module)}[/"]', (part.source / package / "main.go").read_text())
        else:
            assert f"\t{package}\n" in text or f"tool {package}\n" in text


def test_every_folder_with_a_go_module_is_in_the_catalogue() -> None:
    assert {file.parent.name for file in PARTS_SOURCE.glob("*/go.mod")} == {part.source.name for part in CATALOGUE}


def test_all_staging_modules_of_kubernetes_are_replaced_by_the_release_that_fits_it() -> None:
    replaced = [line for line in (KUBERNETES.source / "go.mod").read_text().splitlines() if "=>" in line]
    assert len(replaced) >= 30
    assert {line.split()[-1] for line in replaced} == {KUBERNETES.version.replace("v1.", "v0.")}


def test_what_a_first_cluster_waits_for_is_of_one_module_so_that_nothing_is_compiled_twice() -> None:
    waited_for = {part.source for part in (*NEEDED_FOR_A_NODE, *NEEDED_AFTERWARDS) if part.module}
    assert waited_for == {KUBERNETES.source}


def test_the_same_sources_and_flags_give_the_same_folder(cache: Path) -> None:
    assert dataclasses.replace(ETCD).folder == ETCD.folder
    assert ETCD.folder.is_relative_to(cache / "parts" / "etcd")


def test_another_flag_or_another_sum_gives_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dataclasses.replace(ETCD, stamps=("a.b=c",)).folder != ETCD.folder
    (tmp_path / ETCD.home).mkdir()
    for name in ("go.mod", "go.sum"):
        (tmp_path / ETCD.home / name).write_text((ETCD.source / name).read_text() + "\n")
    monkeypatch.setattr("taskservice_local.parts.PARTS_SOURCE", tmp_path)
    assert dataclasses.replace(ETCD).fingerprint != ETCD.fingerprint


def test_a_build_tag_and_a_generator_decide_what_the_binaries_are() -> None:
    assert dataclasses.replace(ETCD, tags=("minimal",)).flags[-2:] == ("-tags", "minimal")
    assert dataclasses.replace(ETCD, tags=("minimal",)).folder != ETCD.folder
    assert dataclasses.replace(ETCD, generator=("./generate",)).folder != ETCD.folder


def test_a_source_in_a_folder_of_its_own_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskservice_local.parts.PARTS_SOURCE", tmp_path)
    (tmp_path / ETCD.home / "stand-in").mkdir(parents=True)
    before = dataclasses.replace(ETCD).fingerprint
    (tmp_path / ETCD.home / "stand-in" / "client.go").write_text("package client")
    assert dataclasses.replace(ETCD).fingerprint != before


@pytest.mark.parametrize("part", BUILT_FROM_MODULES, ids=lambda part: part.name)
def test_what_stands_in_for_a_module_lies_in_the_part_and_says_so(part: Part) -> None:
    for module, folder in re.findall(r"(\S+) => \./(\S+)", (part.source / "go.mod").read_text()):
        text = (part.source / folder / "go.mod").read_text()
        assert f"\nmodule {module}\n" in text
        assert text.startswith("// What ")
        assert "for `replace`" in text


def test_the_providers_release_is_the_one_of_its_python_package() -> None:
    assert PULUMI_KUBERNETES.generator[-1] == PULUMI_KUBERNETES_RELEASE
    assert any(stamp.endswith(f".Version={PULUMI_KUBERNETES_RELEASE}") for stamp in PULUMI_KUBERNETES.stamps)


def test_a_program_leads_to_its_part() -> None:
    assert part_of("kubectl") is KUBERNETES
    assert part_named("etcd") is ETCD


@pytest.mark.parametrize("look_up", [part_named, part_of])
def test_an_unknown_name_is_answered_with_the_known_ones(look_up) -> None:
    with pytest.raises(LocalError, match="etcd"):
        look_up("emacs")
