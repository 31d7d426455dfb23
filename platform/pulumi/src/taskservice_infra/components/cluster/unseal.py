"""The key that opens the store of secrets, as every cloud's cluster tells it."""

from __future__ import annotations

Unseal = dict[str, dict[str, str]]
"""``seal`` and, where the ServiceAccount needs them, ``serviceAccountAnnotations``: as ``secrets:vault`` takes them."""
