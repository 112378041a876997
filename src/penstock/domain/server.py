"""A process that serves: others may share its database."""

import msgspec


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`id` names this process, and no other one ever. With `process_started_s`, the system's own
    figure in unix seconds, `pid` names one process of the machine `host` for ever too."""

    id: str
    host: str
    pid: int
    process_started_s: float
