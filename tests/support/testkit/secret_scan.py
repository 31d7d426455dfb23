"""Looks for secrets in text where none may be: logs, mostly."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

SHORTEST = 8
"""Shorter values are found by chance."""


def values_of(secrets: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """`namespace/name:key` → value of every entry of these Secrets that is text."""
    found: dict[str, str] = {}
    for secret in secrets:
        where = f"{secret['metadata'].get('namespace', '')}/{secret['metadata']['name']}"
        for key, encoded in (secret.get("data") or {}).items():
            try:
                found[f"{where}:{key}"] = base64.b64decode(encoded).decode()
            except UnicodeDecodeError:
                found[f"{where}:{key}"] = encoded
    return found


def leaks(text: str, secrets: Mapping[str, str]) -> list[str]:
    """Names of the secrets that the text holds: plain, in base64, or a line of several."""
    return sorted(name for name, value in secrets.items() if any(form in text for form in _forms(value)))


def _forms(value: str) -> set[str]:
    lines = [line.strip() for line in value.splitlines() if not line.startswith("-----")]
    plain = {line for line in lines if len(line) >= SHORTEST}
    encoded = {base64.b64encode(value.encode()).decode()} if len(value) >= SHORTEST else set[str]()
    return plain | encoded
