"""A forward proxy as a program: `forward_proxy.py PORT TARGET LOG` sends every request to the address TARGET.

It understands CONNECT and absolute URLs, and writes the first line of each request to LOG.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit


async def serve(port: int, target: str, log: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, _, rest = head.partition("\r\n")
            with log.open("a") as file:
                file.write(f"{line}\n")
            method, url, version = line.split(" ")
            place = urlsplit(f"//{url}" if method == "CONNECT" else url)
            far_reader, far_writer = await asyncio.open_connection(target, place.port or 80)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = place.path + (f"?{place.query}" if place.query else "")
                far_writer.write(f"{method} {path} {version}\r\nConnection: close\r\n{rest}".encode())
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
