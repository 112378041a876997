"""That this server runs, as those see it that share its database.

A server that is killed cannot say that it has ended. Of the same machine the next one sees that the
process is gone; of others it is taken for gone when it has not been heard of for FORGOTTEN_AFTER.
"""

import math
import os
import secrets
import socket
import time
from datetime import UTC, datetime, timedelta

import psutil

from penstock.domain.server import Server
from penstock.store.servers import ServerStore

HEARD_EVERY_S = 60.0
FORGOTTEN_AFTER = timedelta(minutes=5)


def this_server() -> Server:
    return Server(
        id=secrets.token_hex(16),
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started_s=psutil.Process().create_time(),
    )


def has_ended(server: Server, *, host: str) -> bool:
    """Whether it was a process of the machine `host`, which is this one, and is no more."""
    if server.host != host:
        return False
    try:
        return bool(psutil.Process(server.pid).create_time() != server.process_started_s)
    except psutil.NoSuchProcess:
        return True


class Presence:
    """Keeps one server's row. All of it blocks, and raises DatabaseUnavailable."""

    def __init__(self, servers: ServerStore, server: Server) -> None:
        self._servers = servers
        self.server = server
        self._heard_s = 0.0

    def begin(self) -> None:
        """It is there; those of this machine that have ended are not."""
        host = self.server.host
        gone = [each.id for each in self._servers.all() if has_ended(each, host=host)]
        self._servers.enter(self.server, datetime.now(UTC), gone=gone)
        self._heard_s = time.monotonic()

    def renew(self) -> bool:
        """Be heard of, when it is time. False: it had been forgotten, and its replicas with it."""
        if time.monotonic() - self._heard_s < HEARD_EVERY_S:
            return True
        now = datetime.now(UTC)
        known = self._servers.seen(self.server.id, now, not_since=now - FORGOTTEN_AFTER)
        if not known:
            self.begin()
        self._heard_s = time.monotonic()
        return known

    def doubt(self) -> None:
        """It may have been forgotten: the next `renew` looks."""
        self._heard_s = -math.inf

    def end(self) -> None:
        self._servers.leave(self.server.id)
