"""A connection to Redis for reads that many requests share: a few commands out, their answers back, and nothing else.

The client of redis-py does more around each command: it takes a connection from a pool and looks whether it is alone,
counts, may record a span, and gives each write and each read a timeout of its own, which on Python 3.11 is a task. Here
is one connection of the same library, one timeout for all of an exchange, and the same second try.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

Command = tuple[str, ...]


class Reads(Protocol):
    """Somebody who answers a few commands at a time, one exchange after the other."""

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """One answer for each command. Raises RedisError, OSError or TimeoutError, then for all of them."""
        ...

    async def close(self) -> None: ...


class ReadConnection:
    """Reads on a connection that is opened when it is first needed. `close` when done."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """Raises ValueError for a malformed address. The timeout is for an exchange, and for connecting before it."""
        pool: Any = ConnectionPool.from_url(url, protocol=3, socket_timeout=None, retry=Retry(NoBackoff(), 0))
        self._connection = pool.make_connection()
        self._timeout = timeout_seconds

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        packed = self._connection.pack_commands(commands)
        used = self._connection.is_connected
        try:
            return await self._once(packed, len(commands))
        except (RedisConnectionError, OSError) as error:
            if not used or isinstance(error, TimeoutError):
                raise
            return await self._once(packed, len(commands))  # a kept connection may be stale after a restart

    async def _once(self, packed: list[bytes], answers: int) -> list[Any]:
        connection = self._connection
        try:
            if not connection.is_connected:
                async with asyncio.timeout(self._timeout):
                    await connection.connect()
            async with asyncio.timeout(self._timeout):
                await connection.send_packed_command(packed, check_health=False)
                return [await connection.read_response() for _ in range(answers)]
        except BaseException:
            # What was not read would be taken for the answer to the next question.
            await connection.disconnect(nowait=True)
            raise

    async def close(self) -> None:
        await self._connection.disconnect()
