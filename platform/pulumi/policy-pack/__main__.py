"""The entry that Pulumi's policy engine starts; the rules are in ``taskservice_infra.policy``."""

import sys
from pathlib import Path

# The engine starts this file with an environment that may not have the distribution installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from taskservice_infra.policy.pack import serve

serve()
