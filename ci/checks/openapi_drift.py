"""Fails when service/openapi/*.json is not what the code answers; `--write` makes them anew.

    python ci/checks/openapi_drift.py [--write]

The documents are the contract with clients: a change of one is seen in review, not by a client.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "service" / "src"))

from taskservice.auth import app as auth  # noqa: E402 — found only through the line above
from taskservice.kit.app import Runtime  # noqa: E402
from taskservice.kit.settings import AuthSettings, TasksSettings  # noqa: E402
from taskservice.tasks import app as tasks  # noqa: E402

FOLDER = ROOT / "service" / "openapi"
# The document speaks of the interface, not of a build.
ANY: dict[str, Any] = {"mongo_url": "mongodb://nowhere", "version": "1"}


def documents() -> dict[str, dict[str, Any]]:
    """Name → OpenAPI document."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    auth_settings = AuthSettings(**ANY, jwt_private_key=pem, argon2_memory_kib=8, argon2_time_cost=1)
    tasks_settings = TasksSettings(**ANY, jwks_url="http://nowhere/jwks.json")
    return {
        "auth": auth.create_app(auth_settings, Runtime.of("auth", auth_settings)).openapi(),
        "tasks": tasks.create_app(tasks_settings, Runtime.of("tasks", tasks_settings)).openapi(),
    }


def main(arguments: list[str]) -> int:
    stale = []
    for name, document in documents().items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        if "--write" in arguments:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
        else:
            stale.append(path.relative_to(ROOT))
    for path in stale:
        print(f"{path} is not what the code answers: run `make gen`, and look at what changed for clients")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
