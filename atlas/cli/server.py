"""A web server for one finished site, on this machine only, that can read nothing outside the site."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_to_bytes

from atlas.errors import AtlasError, DiskError, InputError

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "127.0.0.1"
"""The only address ever listened on: a site may hold text its owner does not want to publish yet."""

DEFAULT_PORT = 8000
"""Port of `atlas serve` unless one is given."""

MIME_TYPES: dict[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".zip": "application/zip",
}
"""File ending → Content-Type. Our own table: the system's differs between machines (a Windows registry
may call `.js` plain text, which browsers then refuse to run)."""

FALLBACK_TYPE = "application/octet-stream"
"""Content-Type of every other file: downloaded, never interpreted."""


@dataclass(frozen=True)
class Answer:
    """What one request path leads to."""

    status: HTTPStatus
    """200, 301 (a folder asked for without its final slash), 400 or 404."""
    file: Path | None = None
    """The file to send; None for a redirect and where there is no file."""
    location: str = ""
    """Target of a redirect: a path of this site."""


def decode_path(target: str) -> str | None:
    """The request target as a decoded path that starts with '/', or None where it is malformed.

    Decoded exactly once. Malformed means: not starting with one single slash, NUL or another control
    character, a backslash, bytes that are not UTF-8, or a '.' or '..' segment, in any spelling.
    """
    raw = _without_query(target)
    if not raw.startswith("/") or raw.startswith("//"):
        return None
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        return None
    if not path.isprintable() or "\\" in path:
        return None
    if any(segment in {".", ".."} for segment in path.split("/")):
        return None
    return path


def find_answer(root: Path, target: str) -> Answer:
    """What to answer to a GET of `target` (as it stands in the request line) from the site at `root`.

    Only regular files that lie in `root` after all links are resolved are ever named; hidden files
    (a segment that starts with a dot) and folders without an index.html are 404.
    """
    path = decode_path(target)
    if path is None:
        return Answer(HTTPStatus.BAD_REQUEST)
    try:
        file = _contained(root, path)
        if file.is_file() and not path.endswith("/"):
            return Answer(HTTPStatus.OK, file)
        index = _contained(root, path.rstrip("/") + "/index.html")
    except (OSError, ValueError, RuntimeError):
        page = root / "404.html"
        return Answer(HTTPStatus.NOT_FOUND, page if page.is_file() and not page.is_symlink() else None)
    if path.endswith("/"):
        return Answer(HTTPStatus.OK, index)
    return Answer(HTTPStatus.MOVED_PERMANENTLY, location=_without_query(target) + "/")


def _without_query(target: str) -> str:
    return target.split("#", 1)[0].split("?", 1)[0]


def _contained(root: Path, path: str) -> Path:
    """The file or folder at `path` below `root`, links resolved; `ValueError` where it is not ours to show,
    `OSError` or `RuntimeError` (a loop of links) where it does not exist.
    """
    *folders, last = path.split("/")[1:]
    if not all(folders) or any(segment.startswith(".") for segment in (*folders, last)):
        raise ValueError(path)
    found = root.joinpath(*folders, last).resolve(strict=True)
    if not found.is_relative_to(root.resolve(strict=True)):
        raise ValueError(path)
    return found


class SiteServer(ThreadingHTTPServer):
    """One thread per connection; stops at once when the process is told to.

    `root` is looked up anew for every request, so a rebuilt site is served as soon as it is there.
    """

    daemon_threads = True
    # A second server on a busy port must fail, not share it.
    allow_reuse_port = False

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        super().__init__((ADDRESS, port), _Handler)

    @property
    def port(self) -> int:
        """The port listened on (the chosen one where 0 was asked for)."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Address of the home page."""
        return f"http://{ADDRESS}:{self.port}/"

    @property
    def hosts(self) -> frozenset[str]:
        """Host headers that are this server: others come from a page that rebound its own name to us."""
        names = {ADDRESS, "localhost"}
        bare = names if self.port == HTTPConnection.default_port else set[str]()
        return frozenset({f"{name}:{self.port}" for name in names} | bare)

    def server_bind(self) -> None:
        """Bind without the reverse name lookup of the base class, which can take seconds offline."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = ADDRESS, self.port

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a browser that closes a connection early is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "atlas"
    sys_version = ""
    # An idle keep-alive connection must not hold its thread for ever.
    timeout = 30

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        site = cast("SiteServer", self.server)
        if self.headers.get("Host", "").lower() not in site.hosts:
            self._send_text(HTTPStatus.FORBIDDEN, "This server answers only to its own address.", with_body)
            return
        answer = find_answer(site.root, self.path)
        if answer.file is None:
            headers = {"Location": answer.location} if answer.location else {}
            self._send_text(answer.status, answer.status.phrase, with_body, headers)
            return
        try:
            data = answer.file.read_bytes()
        except OSError:
            self._send_text(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase, with_body)
            return
        kind = MIME_TYPES.get(answer.file.suffix.lower(), FALLBACK_TYPE)
        self._send(answer.status, kind, data, with_body, {})

    def _send_text(
        self, status: HTTPStatus, text: str, with_body: bool, headers: dict[str, str] | None = None
    ) -> None:
        data = f"{status.value} {text}\n".encode()
        self._send(status, MIME_TYPES[".txt"], data, with_body, headers or {})

    def _send(
        self, status: HTTPStatus, kind: str, data: bytes, with_body: bool, headers: dict[str, str]
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        # A site may be rebuilt at any moment, and the next page must not mix old and new files.
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: request lines are foreign text and would flood the terminal."""


def open_server(root: Path, port: int) -> SiteServer:
    """A server for the site at `root`, listening on `port` (0: any free one), not yet answering.

    A busy port and a port out of range are an `InputError`, a forbidden one (below 1024) a `DiskError`.
    """
    try:
        return SiteServer(root, port)
    except OverflowError as error:
        raise InputError(f"port {port} is not between 0 and 65535", where="--port") from error
    except OSError as error:
        raise _port_error(port, error) from error


def _port_error(port: int, error: OSError) -> AtlasError:
    if isinstance(error, PermissionError):
        return DiskError(
            f"no permission to listen on port {port}",
            where="--port",
            fix="take a port above 1023, or --port 0",
        )
    return InputError(
        f"port {port} of {ADDRESS} cannot be used: {os.strerror(error.errno or 0).lower()}",
        where="--port",
        fix="stop the other program, or pass --port 0 to take any free port",
    )
