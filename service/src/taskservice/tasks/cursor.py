"""The opaque position in a list: after what the next page begins. Pure.

A cursor is signed together with what it belongs to: a list, its order and its conditions. Used with anything else,
or changed, it is refused instead of leading somewhere; its contents stay ours to change.
"""

import base64
import binascii
import hashlib
import hmac

from taskservice.tasks.errors import BadCursor

VERSION = b"1"
MAC_BYTES = 16
MAX_CHARACTERS = 2048


class Cursors:
    """Makes and reads cursors; every replica needs the same key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, position: str, identity: str) -> str:
        """The cursor of the page that begins after this position."""
        text = position.encode()
        return base64.urlsafe_b64encode(self._mac(text, identity) + text).rstrip(b"=").decode()

    def decode(self, cursor: str, identity: str) -> str:
        """The position that the cursor was made of. Raises BadCursor."""
        try:
            # Strict: one position has one cursor, so that a cache cannot be filled with spellings of it.
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != cursor:
                raise BadCursor
        except (binascii.Error, ValueError):
            raise BadCursor from None
        mac, text = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(text, identity)):
            raise BadCursor
        return text.decode()

    def _mac(self, text: bytes, identity: str) -> bytes:
        signed = b"\x00".join((VERSION, identity.encode(), text))
        return hmac.digest(self._key, signed, hashlib.sha256)[:MAC_BYTES]
