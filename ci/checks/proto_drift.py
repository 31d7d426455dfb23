"""Fails when the generated code of service/proto is not what protoc makes of it; `--write` makes it anew.

    python ci/checks/proto_drift.py [--write]

The code is committed, so that neither a build nor a reader needs protoc.
"""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTO, SOURCE = ROOT / "service" / "proto", ROOT / "service" / "src"


def generated() -> dict[Path, str]:
    """Path in the source folder → content, for every proto file."""
    protos = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    with tempfile.TemporaryDirectory() as folder:
        options = [f"-I{PROTO}", f"-I{files('grpc_tools') / '_proto'}"]
        outputs = [f"--{kind}={folder}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
        if protoc.main(["protoc", *options, *outputs, *protos]) != 0:
            raise SystemExit("protoc refused service/proto; its reason stands above")
        made = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
        return {path.relative_to(folder): path.read_text() for path in made}


def main(arguments: list[str]) -> int:
    wanted = generated()
    present = {path.relative_to(SOURCE) for path in SOURCE.rglob("*_pb2*.py*") if path.suffix in (".py", ".pyi")}
    stale = [path for path, text in wanted.items() if path not in present or (SOURCE / path).read_text() != text]
    stale += present - set(wanted)
    if "--write" in arguments:
        for path in stale:
            (SOURCE / path).unlink(missing_ok=True)
            if path in wanted:
                (SOURCE / path).parent.mkdir(parents=True, exist_ok=True)
                (SOURCE / path).write_text(wanted[path])
            print(f"wrote service/src/{path}")
        return 0
    for path in stale:
        print(f"service/src/{path} is not what protoc makes of service/proto: run `make gen`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
