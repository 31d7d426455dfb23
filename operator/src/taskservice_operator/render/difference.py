"""Whether an observed object already says what we would apply: an apply that changes nothing is not sent."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.render.identity import digest

APPLIED = f"{names.GROUP}/applied"
"""Digest of the manifest last applied: a field that we no longer set cannot be seen in the fields we do set."""

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal("1e3"),
    "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"), "E": Decimal("1e18"),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
}  # fmt: skip


def stamped(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """``manifest`` with its digest as an annotation.  The replica count stays out: autoscalers move it."""
    plain = copy.deepcopy(dict(manifest))
    counted = copy.deepcopy(plain)
    if counted["kind"] == "Deployment":
        counted["spec"].pop("replicas", None)
    annotations = plain["metadata"].setdefault("annotations", {})
    annotations[APPLIED] = digest(counted)
    return plain


def says(observed: Any, desired: Any) -> bool:
    """True when everything in ``desired`` stands in ``observed`` with the same meaning.

    Additions by the API server (defaults, status) do not count as differences; empty values equal absent ones;
    quantities compare by value (``0.5`` is ``500m``); lists compare in order and length.
    """
    if isinstance(desired, Mapping):
        if not isinstance(observed, Mapping):
            return not desired and observed is None
        return all(says(observed.get(key), value) for key, value in desired.items())
    if isinstance(desired, list | tuple):
        if not desired:
            return not observed
        return (
            isinstance(observed, list | tuple)
            and len(observed) == len(desired)
            and all(says(seen, wanted) for seen, wanted in zip(observed, desired, strict=True))
        )
    if observed == desired:
        return True
    if desired in (None, "", False, 0) and observed is None:
        return True
    return _same_quantity(observed, desired)


def _same_quantity(left: Any, right: Any) -> bool:
    first, second = _quantity(left), _quantity(right)
    return first is not None and first == second


def _quantity(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    number = text.rstrip("numkKMGTPEi")
    factor = _SUFFIXES.get(text[len(number) :])
    try:
        return Decimal(number) * factor if factor is not None else None
    except InvalidOperation:
        return None
