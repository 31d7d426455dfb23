"""``python -m taskservice_infra``: see :mod:`taskservice_infra.automation.cli`."""

import sys

from taskservice_infra.automation.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
