"""Whether an observed object already says what we would apply: an apply that changes nothing is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.render.identity import digest
from taskservice_operator.render.merge_keys import MERGE_KEYS, by_identity

APPLIED = f"{names.GROUP}/applied"
"""Digest of the manifest last applied: a field that we no longer set cannot be seen in the fields we do set."""

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal("1e3"),
    "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"), "E": Decimal("1e18"),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
}  # fmt: skip

_EXACT = frozenset({"selector", "matchLabels", "nodeSelector"})
"""Maps that are one value: whoever adds a key to them changes what they say."""
_COUNTED = frozenset({"resources", "metrics", "sizeLimit", "divisor"})
"""Fields below which the API server rewrites numbers in its own way."""


def stamped(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """``manifest`` with its digest as an annotation.  The replica count stays out: autoscalers move it."""
    counted = dict(manifest)
    if counted["kind"] == "Deployment":
        counted["spec"] = {key: value for key, value in counted["spec"].items() if key != "replicas"}
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), APPLIED: digest(counted)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def says(observed: Any, desired: Any, field: str = "", *, counts: bool = False) -> bool:
    """True when everything in ``desired`` stands in ``observed`` with the same meaning.

    Additions do not count as differences (defaults and status by the API server; in lists with a merge key also
    entries of others, which an apply would leave there), except in selectors, where one more label selects other
    pods.  Empty values equal absent ones.  Quantities compare by value (``0.5`` is ``500m``), where they stand.
    ``field`` is the name under which both were found, ``counts`` is True below a field that holds quantities.
    """
    if observed == desired:
        return True  # by far the most common answer, at every level
    if isinstance(desired, Mapping):
        if not isinstance(observed, Mapping):
            return not desired and observed is None
        if field in _EXACT and set(observed) - set(desired):
            return False
        return all(
            says(observed.get(key), value, key, counts=counts or key in _COUNTED) for key, value in desired.items()
        )
    if isinstance(desired, list | tuple):
        return _list_says(observed, desired, field, counts)
    if desired in (None, "", False, 0) and observed is None:
        return True
    return counts and _same_quantity(observed, desired)


def _list_says(observed: Any, desired: list[Any] | tuple[Any, ...], field: str, counts: bool) -> bool:
    if not desired:
        return not observed or field in MERGE_KEYS
    seen, wanted = by_identity(field, observed), by_identity(field, desired)
    if seen is not None and wanted is not None:
        return all(says(seen.get(identity), entry, counts=counts) for identity, entry in wanted.items())
    return (
        isinstance(observed, list | tuple)
        and len(observed) == len(desired)
        and all(says(one, other, counts=counts) for one, other in zip(observed, desired, strict=True))
    )


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
