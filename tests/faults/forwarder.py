"""Forwards every connection of one port of this machine to another: `python forwarder.py FROM TO`."""

import asyncio
import contextlib
import sys

HOST = "127.0.0.1"
PIECE_BYTES = 65_536


async def main(port: int, target: int) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, target)
        except OSError:  # the member is down
            writer.close()
            return
        await asyncio.gather(_pour(reader, back), _pour(there, writer))

    server = await asyncio.start_server(forward, HOST, port)
    await server.serve_forever()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
