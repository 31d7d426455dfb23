"""The opaque position in a list: after which task the next page begins. Pure.

Ids sort by creation time, so the id is the whole keyset. The cursor names its version, so that another sort
order can be added without misreading old ones.
"""

import base64
import binascii
import uuid

from taskservice.tasks.errors import BadCursor

VERSION = "1:"


def encode(last_id: str) -> str:
    """The cursor of the page that begins after this task."""
    return base64.urlsafe_b64encode((VERSION + last_id).encode()).rstrip(b"=").decode()


def decode(cursor: str) -> str:
    """The id that the cursor was made of. Raises BadCursor."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        last_id = str(uuid.UUID(text.removeprefix(VERSION)))
    except (binascii.Error, ValueError):
        raise BadCursor from None
    if text != VERSION + last_id:
        raise BadCursor
    return last_id
