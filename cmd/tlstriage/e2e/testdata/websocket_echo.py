"""A WebSocket server and client. websocket_echo.py server PORT CERT KEY | client PORT CA NAME"""
import asyncio
import ssl
import sys

import websockets


async def serve(port, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def echo(socket, *_):
        async for message in socket:
            if message == "close":
                await socket.close(4001, "as you wish")
                return
            await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", int(port), ssl=context, max_size=None, subprotocols=["chat"]):
        await asyncio.Future()


async def ask(port, ca, name):
    context = ssl.create_default_context(cafile=ca)
    async with websockets.connect("wss://%s:%s/chat" % (name, port), host="127.0.0.1", ssl=context, server_hostname=name, max_size=None, subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat"
        for message in ["text ü", b"\x00\x01", b"x" * 2_000_000]:
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping(b"alive"))
        await socket.send("close")
        try:
            await socket.recv()
            raise SystemExit("the connection was not closed")
        except websockets.ConnectionClosed:
            assert (socket.close_code, socket.close_reason) == (4001, "as you wish"), (socket.close_code, socket.close_reason)
    print("all of WebSocket went through")


asyncio.run({"server": serve, "client": ask}[sys.argv[1]](*sys.argv[2:]))
