"""``python -m taskservice_infra.costs``: print the tables; with ``--write`` put them into the documentation."""

from __future__ import annotations

import sys

from taskservice_infra.costs.table import PAGE, page, render

if "--write" in sys.argv[1:]:
    PAGE.write_text(page(PAGE.read_text()))
else:
    print(render())
