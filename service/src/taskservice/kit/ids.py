"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562), so that `_id` is a keyset."""

import secrets
import time
import uuid


def compose(milliseconds: int, noise: bytes) -> str:
    """The version 7 UUID of a Unix time in milliseconds and ten bytes of noise."""
    head = milliseconds.to_bytes(6, "big")
    body = bytes([0x70 | noise[0] & 0x0F, noise[1], 0x80 | noise[2] & 0x3F])
    return str(uuid.UUID(bytes=head + body + noise[3:10]))


def new_id() -> str:
    """A fresh identifier."""
    return compose(time.time_ns() // 1_000_000, secrets.token_bytes(10))
