"""One connection of the server half, where a test has to hold it by the hand."""

import asyncio
import socket

from penstock.http.connection import ServerLimits
from penstock.http.message import Request, Response
from penstock.http.server import Server

WITHIN_S = 10
#: More than the system keeps for both ends of a connection.
MUCH = b"x" * (32 * 1024 * 1024)


async def much(_: Request) -> Response:
    return Response(status=200, headers=b"", body=MUCH)


async def test_a_connection_that_closes_does_not_wait_for_ever_for_its_client_to_read() -> None:
    server = Server(much, limits=ServerLimits(write_timeout_s=0.1))
    await server.listen(host="127.0.0.1")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        async with asyncio.timeout(WITHIN_S):
            while not server.connections:
                await asyncio.sleep(0.01)
            (connection,) = server.connections
            # As if the client had read until so little is left that the server went on to close.
            connection.transport.set_write_buffer_limits(high=2 * len(MUCH))
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            while server.connections:
                await asyncio.sleep(0.01)
    await server.drain(0)
