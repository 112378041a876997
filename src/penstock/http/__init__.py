"""HTTP/1.1 on asyncio protocols, as much of it as a gateway of JSON and event streams needs.

Both halves are built on llhttp (`httptools`) and know nothing of Penstock: `server` turns sockets
into `Request` and `Response`, `client` keeps connections to engines. Why they are ours:
`docs/decisions/0003-http-edge.md`.
"""
