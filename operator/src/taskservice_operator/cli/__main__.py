"""``python -m taskservice_operator.cli``: the same as ``kubectl taskservice``."""

import sys

from taskservice_operator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
