"""An image is built when its content changed, and only then; archives are the same bytes for the same content."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from taskservice_local import image_catalogue, images
from taskservice_local.archives import references_in, write_program_image, write_rootfs_image
from taskservice_local.errors import LocalError
from taskservice_local.machine import Machine
from taskservice_local.parts import Part


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "service"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("print()")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_bytes(b"x")
    return folder


@pytest.fixture
def containerfile(tmp_path: Path) -> Path:
    file = tmp_path / "x.Containerfile"
    file.write_text("FROM scratch\n")
    return file


def test_the_context_holds_sources_and_wheels_but_nothing_that_tools_made(tmp_path: Path, source: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "a.whl").write_text("wheel")
    context = tmp_path / "context"
    images.stage(context, [source], wheels)
    found = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert found == {"service/src/app.py", "wheels/a.whl"}


def test_the_hash_follows_the_content_and_not_the_times(tmp_path: Path, source: Path, containerfile: Path) -> None:
    hashes: list[str] = []

    def note(**args: str) -> None:
        images.stage(tmp_path / "context", [source], None)
        hashes.append(images.content_hash(containerfile, tmp_path / "context", args))

    note()
    (source / "src" / "app.py").touch()
    note()
    assert hashes[0] == hashes[1]
    note(VERSION="2")
    (source / "src" / "app.py").write_text("print(2)")
    note()
    containerfile.write_text("FROM other\n")
    note()
    assert len(set(hashes)) == 4


def test_an_unchanged_image_is_not_built_again(
    cache: Path, source: Path, containerfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(argv: list[object], **_: object) -> str:
        commands.append([str(word) for word in argv])
        for word in commands[-1]:
            if word.startswith("docker-archive:"):
                Path(word.split(":")[1]).write_text("archive")
        return ""

    monkeypatch.setattr(images, "run", run)
    monkeypatch.setattr(images.machine, "install", lambda *_: None)
    monkeypatch.setattr(Machine, "docker_answers", lambda _: False)
    first = images.build_image("x", containerfile, source, "docker.io/local/x:1", {"BASE": "b"})
    built = len(commands)
    assert built > 0
    assert "--build-arg=BASE=b" in commands[0]
    assert images.build_image("x", containerfile, source, "docker.io/local/x:1", {"BASE": "b"}) == first
    assert len(commands) == built
    assert first.read_text() == "archive"


def test_only_the_archives_used_last_are_kept(
    cache: Path, source: Path, containerfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(argv: list[object], **_: object) -> str:
        for word in map(str, argv):
            if word.startswith("docker-archive:"):
                Path(word.split(":")[1]).write_text("archive")
        return ""

    monkeypatch.setattr(images, "run", run)
    monkeypatch.setattr(images.machine, "install", lambda *_: None)
    monkeypatch.setattr(Machine, "docker_answers", lambda _: False)
    first = images.build_image("x", containerfile, source, "x:0", {})
    for number in range(1, images.KEPT_ARCHIVES + 3):
        latest = images.build_image("x", containerfile, source, f"x:{number}", {})
        assert images.build_image("x", containerfile, source, "x:0", {}) == first  # still in use
    assert latest.exists()
    assert first.exists()
    assert len(list(first.parent.glob("*.tar"))) == images.KEPT_ARCHIVES


def test_a_file_that_is_no_archive_names_no_image(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("something else")
    assert references_in(tmp_path / "x.tar") == []


def test_a_program_image_is_reproducible_and_starts_the_program(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    for name in ("a.tar", "b.tar"):
        write_program_image(program, "docker.io/local/pause:1", "amd64", "1:1", tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())[0]  # type: ignore[union-attr]
        config = json.loads(tar.extractfile(manifest["Config"]).read())  # type: ignore[union-attr]
    assert references_in(tmp_path / "a.tar") == ["docker.io/local/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["Layers"]) == 1


def test_a_program_that_is_started_by_its_name_lies_in_a_folder_of_the_path(tmp_path: Path) -> None:
    program = tmp_path / "envoy-gateway"
    program.write_bytes(b"\x7fELF")
    write_program_image(program, "docker.io/local/x:1", "amd64", "1:1", tmp_path / "a.tar", "bin")
    with tarfile.open(tmp_path / "a.tar") as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())[0]  # type: ignore[union-attr]
        config = json.loads(tar.extractfile(manifest["Config"]).read())["config"]  # type: ignore[union-attr]
        with tarfile.open(fileobj=tar.extractfile("layer.tar")) as layer:
            assert layer.getnames() == ["bin/envoy-gateway"]
    assert (config["Entrypoint"], config["Env"]) == (["/bin/envoy-gateway"], ["PATH=/bin"])


def test_a_root_file_system_image_goes_by_all_its_names(tmp_path: Path) -> None:
    (tmp_path / "rootfs.tar").write_bytes(b"\0" * 10_240)
    write_rootfs_image(tmp_path / "rootfs.tar", ["a:1", "a:2"], "amd64", tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert json.loads(tar.extractfile("manifest.json").read())[0]["RepoTags"] == ["a:1", "a:2"]  # type: ignore[union-attr]
        assert tar.getmember("layer.tar").size == 10_240


def test_an_image_whose_sources_are_absent_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = image_catalogue.SPECS["service"]
    absent = image_catalogue.ImageSpec(spec.name, spec.repository, spec.containerfile.with_name("none"), spec.base)
    with pytest.raises(LocalError, match="ci/images/none, which is not there"):
        image_catalogue.build_spec(absent, {})


def test_an_image_of_a_built_program_is_asked_for_like_any_other(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(parts: tuple[Part, ...]) -> None:
        for part in parts:
            program = part.binary(part.programs[0][0])
            program.parent.mkdir(parents=True)
            program.write_bytes(b"\x7fELF")

    monkeypatch.setattr(image_catalogue.builder, "build", build)
    assert {"vault", "loki", "jaeger", "otelcol"} <= set(image_catalogue.names())
    image = image_catalogue.ensure("vault")
    assert image.reference.startswith("docker.io/local/vault:v")
    assert references_in(image.archive) == [image.reference]
    with tarfile.open(image.archive) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())[0]  # type: ignore[union-attr]
        config = json.loads(tar.extractfile(manifest["Config"]).read())["config"]  # type: ignore[union-attr]
    assert (config["Entrypoint"], config["User"]) == (["/bin/vault"], "10001:10001")


def test_every_name_is_of_one_image_only() -> None:
    assert len(set(image_catalogue.names())) == len(image_catalogue.names())


def test_an_unknown_image_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LocalError, match=r"'emacs'; the images are operator, .*vault"):
        image_catalogue.ensure("emacs")
