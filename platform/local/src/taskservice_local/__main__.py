"""`python -m taskservice_local VERB`: see cli.py."""

import sys

from taskservice_local.cli import main

if __name__ == "__main__":
    sys.exit(main())
