"""A model hub for tests: a real process that serves a directory as the Hugging Face hub does.

    python hub.py DIRECTORY --log FILE [--cut-after BYTES …]

DIRECTORY/org/repo is a repository, DIRECTORY/org/repo@v1 another revision of it. Files that end in
.gguf, .onnx, .safetensors or _data are "LFS": they come from a second origin (the CDN) by a
redirect, as on the hub. Spoken: model info, tree, resolve (HEAD, GET, Range, ETag, X-Repo-Commit,
X-Linked-*), gated, not found. Every request is written to FILE, a JSON object a line.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LFS_SUFFIXES = (".gguf", ".onnx", "_data", ".safetensors")


class Hub:
    """A running hub, as a test sees it."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    def requests(self, method: str = "GET", containing: str = "") -> list[dict[str, Any]]:
        """What has been asked so far: `origin`, `method`, `path`, `range`, `authorization`."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if row["method"] == method and containing in row["path"]]


@contextlib.contextmanager
def serving_hub(directory: Path, *flags: str) -> Iterator[Hub]:
    """A hub over `directory`, in a process of its own. For the flags see `main`."""
    log = directory.parent / f"{directory.name}.log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, __file__, str(directory), "--log", str(log), *flags]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Hub(process.stdout.readline().strip(), log)
        finally:
            process.kill()


def commit_of(directory: Path) -> str:
    """The commit that a repository's directory is at."""
    digest = hashlib.sha1(str(directory).encode())
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def is_lfs(name: str) -> bool:
    return name.endswith(LFS_SUFFIXES)


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha_of(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Settings(argparse.Namespace):
    directory: Path
    log: Path
    cut_after: int | None
    cut_times: int
    die_after_cut: bool
    corrupt: str | None
    ignore_range: bool
    more: int
    bytes_per_second: int
    status: int | None
    not_a_hub: bool
    gated: str | None
    token: str | None
    rename: str | None


class State:
    """What all threads share; `cdn` is the second origin, a URL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.cdn = ""
        self.cuts = 0

    def repository(self, name: str, revision: str) -> Path | None:
        base = self.settings.directory / name
        if revision == "main":
            return base
        for directory in (base, *base.parent.glob(f"{base.name}@*")):
            if revision in (commit_of(directory), directory.name.partition("@")[2]):
                return directory
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State
    origin: str

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.note()
        settings = self.state.settings
        path = unquote(urlsplit(self.path).path).strip("/")
        dead = settings.die_after_cut and self.state.cuts
        if settings.status or dead:
            self.refuse(settings.status or 503, None)
        elif settings.not_a_hub:
            self.answer(b"<html>hello</html>", {"Content-Type": "text/html"})
        elif self.origin == "cdn":
            self.send_file(settings.directory / path)
        elif path.startswith("api/models/"):
            self.api(path.removeprefix("api/models/"))
        elif "/resolve/" in path:
            self.resolve(path)
        else:
            self.refuse(404, None)

    def note(self) -> None:
        row = {
            "origin": self.origin,
            "method": self.command,
            "path": self.path,
            "range": self.headers.get("Range"),
            "authorization": self.headers.get("Authorization"),
            "user_agent": self.headers.get("User-Agent"),
        }
        with self.state.lock, self.state.settings.log.open("a") as log:
            log.write(json.dumps(row) + "\n")

    # -- the parts of the hub's API --------------------------------------------------------

    def api(self, path: str) -> None:
        owner, name, *rest = path.split("/")
        kind = rest[0] if rest else "revision"
        directory = self.found(f"{owner}/{name}", "/".join(rest[1:]) or "main")
        if directory is None:
            return
        files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
        if kind == "tree":
            self.answer_json([tree_entry(directory, file) for file in files])
            return
        siblings = [sibling(directory, file) for file in files]
        if self.state.settings.rename:
            siblings[0]["rfilename"] = self.state.settings.rename
        info = {"id": f"{owner}/{name}", "sha": commit_of(directory), "siblings": siblings}
        self.answer_json(info)

    def resolve(self, path: str) -> None:
        repository, _, rest = path.partition("/resolve/")
        revision, _, name = rest.partition("/")
        directory = self.found(repository, revision)
        if directory is None:
            return
        commit = {"X-Repo-Commit": commit_of(directory)}
        if repository == self.state.settings.gated and not self.is_authorized():
            self.refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        elif not (directory / name).is_file():
            self.refuse(404, "EntryNotFound", commit)
        elif is_lfs(name):
            content = (directory / name).read_bytes()
            target = (directory / name).relative_to(self.state.settings.directory)
            headers = {
                "Location": f"{self.state.cdn}/{target}",
                "X-Linked-Size": str(len(content)),
                "X-Linked-Etag": f'"{sha256_of(content)}"',
            }
            self.answer(b"", commit | headers, status=302)
        else:
            self.send_file(directory / name, commit)

    def found(self, repository: str, revision: str) -> Path | None:
        directory = self.state.repository(repository, revision)
        private = not (self.state.settings.directory / repository).is_dir()
        if self.headers.get("Authorization") and not self.is_authorized():
            message = "Invalid credentials in Authorization header"
            self.refuse(401, None, {"X-Error-Message": message})
            return None
        if private:
            self.refuse(404 if self.is_authorized() else 401, "RepoNotFound")
            return None
        if directory is None:
            self.refuse(404, "RevisionNotFound")
        return directory

    def is_authorized(self) -> bool:
        token = self.state.settings.token
        return token is not None and self.headers.get("Authorization") == f"Bearer {token}"

    # -- bytes -----------------------------------------------------------------------------

    def send_file(self, path: Path, headers: dict[str, str] | None = None) -> None:
        settings = self.state.settings
        content = path.read_bytes()
        etag = sha256_of(content) if is_lfs(path.name) else git_sha_of(content)
        if settings.corrupt == path.name:
            content = bytes([content[0] ^ 1]) + content[1:]
        content += b"!" * settings.more
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"} | (headers or {})
        wanted = self.headers.get("Range")
        if wanted and not settings.ignore_range:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            total = len(content)
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
            self.answer(content[start:], headers, status=206, may_cut=True)
        else:
            self.answer(content, headers, may_cut=True)

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str | None, headers: dict[str, str] | None = None) -> None:
        extra = {"X-Error-Code": code} if code else {}
        self.answer(b"{}", extra | (headers or {}), status=status)

    def answer(
        self, body: bytes, headers: dict[str, str], *, status: int = 200, may_cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        settings = self.state.settings
        cut = settings.cut_after
        if may_cut and cut is not None and len(body) > cut and self.state.cuts < settings.cut_times:
            self.state.cuts += 1
            self.wfile.write(body[:cut])
            self.close_connection = True
            return
        if may_cut and settings.bytes_per_second:
            self.trickle(body, settings.bytes_per_second)
            return
        self.wfile.write(body)

    def trickle(self, body: bytes, bytes_per_second: int) -> None:
        piece = bytes_per_second // 20
        for start in range(0, len(body), piece):
            self.wfile.write(body[start : start + piece])
            time.sleep(0.05)


def sibling(directory: Path, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    row: dict[str, Any] = {
        "rfilename": file.relative_to(directory).as_posix(),
        "size": len(content),
        "blobId": git_sha_of(content),
    }
    if is_lfs(file.name):
        row["lfs"] = {"size": len(content), "sha256": sha256_of(content), "pointerSize": 134}
    return row


def tree_entry(directory: Path, file: Path) -> dict[str, Any]:
    row = sibling(directory, file)
    entry = {
        "type": "file",
        "path": row["rfilename"],
        "size": row["size"],
        "oid": row["blobId"],
    }
    if "lfs" in row:
        entry["lfs"] = {"oid": row["lfs"]["sha256"], "size": row["size"], "pointerSize": 134}
    return entry


def serve(state: State, origin: str) -> ThreadingHTTPServer:
    handler = type("BoundHandler", (Handler,), {"state": state, "origin": origin})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--cut-after", type=int, help="close a file's connection after BYTES")
    parser.add_argument("--cut-times", type=int, default=10**9, help="so often")
    parser.add_argument("--die-after-cut", action="store_true", help="answer 503 from then on")
    parser.add_argument("--corrupt", help="serve the file of this name with its first bit flipped")
    parser.add_argument("--ignore-range", action="store_true")
    parser.add_argument("--more", type=int, default=0, help="bytes too many, of each file")
    parser.add_argument("--bytes-per-second", type=int, default=0, help="of each file")
    parser.add_argument("--status", type=int, help="answer everything with it")
    parser.add_argument("--not-a-hub", action="store_true")
    parser.add_argument("--gated", help="org/repo whose files need --token")
    parser.add_argument("--token")
    parser.add_argument("--rename", help="the name of the first file in the listing")
    state = State(parser.parse_args(namespace=Settings()))
    hub, cdn = serve(state, "hub"), serve(state, "cdn")
    # Another host as well as another port: only that is another site to every client.
    state.cdn = f"http://localhost:{cdn.server_port}"
    print(f"http://127.0.0.1:{hub.server_port}", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        threading.Event().wait(0.2)


if __name__ == "__main__":
    main()
