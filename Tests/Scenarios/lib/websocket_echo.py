"""A WebSocket echo: python3 -m lib.websocket_echo PORT NAME."""

import asyncio
import sys

import websockets


async def echo(connection, *_):
    async for message in connection:
        await connection.send(f"{sys.argv[2]}:{message}" if isinstance(message, str) else message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=None):
        await asyncio.Future()


asyncio.run(main())
