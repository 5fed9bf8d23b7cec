"""Streams a session, drops the connection, and goes on where the server says: stream.py URL ID."""

import asyncio
import json
import sys

import websockets

ENTRIES = [json.dumps([entry]) for entry in (
    {"type": "SESSION_START", "timestamp": 1569972082, "session_id": sys.argv[2]},
    {"type": "EVENT", "timestamp": 1569972084, "name": "second"},
    {"type": "EVENT", "timestamp": 1569972083, "name": "first"},
    {"type": "SESSION_END", "timestamp": 1569972090, "session_id": sys.argv[2]},
)]


async def answered(socket, message):
    """Reads on until that message is answered."""
    while True:
        answer = json.loads(await socket.recv())
        if answer["messages"] >= message:
            return answer["type"]


async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        print(json.loads(await socket.recv())["messages"])
        await socket.send(ENTRIES[0])
        await socket.send(ENTRIES[1].encode())  # a binary frame
        print(await answered(socket, 2))
        await socket.send(ENTRIES[2])
        socket.transport.abort()
    async with websockets.connect(sys.argv[1]) as socket:
        stored = json.loads(await socket.recv())["messages"]
        print(2 <= stored <= 3)
        for message in ENTRIES[stored:]:
            await socket.send(message)
        print(await answered(socket, 4))
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            print(closed.code)


asyncio.run(main())
