"""Fails when the CRD in charts/taskservice-crds is not what the schemas in operator/ say."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "operator" / "src"))

from taskservice_operator.api.crd import main  # noqa: E402 — found only through the line above

if __name__ == "__main__":
    sys.exit(main(["--check", "--root", str(ROOT)]))
