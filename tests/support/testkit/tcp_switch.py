"""One address on loopback that leads to a server of choice, as a Service does: only new connections are led anew."""

import asyncio
import contextlib


class TcpSwitch:
    """`address = await TcpSwitch("127.0.0.1:80").open()`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def lead_to(self, target: str) -> None:
        """Where connections that are opened from now on go."""
        self._target = target

    async def open(self) -> str:
        """Begins to listen; returns host and port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            host, _, port = self._target.rpartition(":")
            there, onwards = await asyncio.open_connection(host, int(port))
            ways = [asyncio.ensure_future(_copy(reader, onwards)), asyncio.ensure_future(_copy(there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                onwards.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
