"""Fails when observability/generated, or the operator's template of objectives, is not what the code says.

python ci/checks/observability_drift.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "observability" / "src"))

from taskservice_observability import build  # noqa: E402 — found only through the line above

if __name__ == "__main__":
    sys.exit(build.main(["--check", "--root", str(ROOT)]))
