"""A static host in miniature: serves one folder under a base path, as a project page does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_PATH = "/some/base/"
"""Where tests publish a site: two levels deep, so that an absolute link cannot work by luck."""


@dataclass
class StaticHost:
    """A running server."""

    origin: str
    """Scheme, host and port, no slash at the end."""
    base: str
    """Path the folder is served under, with a slash at both ends."""
    requests: list[str] = field(default_factory=list[str])
    """Every path that was asked for, in order of arrival."""

    def url(self, path: str = "") -> str:
        """Absolute address of `path` (relative to the served folder)."""
        return f"{self.origin}{self.base}{path}"


def _handler(folder: Path, base: str, requests: list[str]) -> type[SimpleHTTPRequestHandler]:
    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            if self.path == "/favicon.ico":
                # A browser asks for it by itself where it shows a file that is no page.
                self.send_response(204)
                self.end_headers()
                return
            super().do_GET()

        def translate_path(self, path: str) -> str:
            name = unquote(urlsplit(path).path)
            if not name.startswith(base):
                return str(folder / "outside-the-base-path")
            target = folder / name.removeprefix(base)
            inside = target.resolve().is_relative_to(folder.resolve())
            return str(target) if inside else str(folder / "outside-the-folder")

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            page = folder / "404.html"
            if code != 404 or not page.is_file():
                super().send_error(code, message, explain)
                return
            body = page.read_bytes()
            self.send_response(404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def list_directory(self, path: object) -> None:
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            """Silence: the requests are kept in a list instead."""

    return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a page mid-answer is no error."""


@contextlib.contextmanager
def serve_folder(folder: Path, base: str = BASE_PATH) -> Iterator[StaticHost]:
    """Serve `folder` at `base` on a free loopback port; missing pages get the folder's own 404.html.

    Raises `ValueError` when `base` lacks a slash at either end.
    """
    if not (base.startswith("/") and base.endswith("/")):
        raise ValueError(f"base {base!r} needs a slash at both ends")
    requests: list[str] = []
    with _QuietServer(("127.0.0.1", 0), _handler(folder, base, requests)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            host = StaticHost(f"http://127.0.0.1:{server.server_port}", base, requests)
            yield host
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def published(site: Path, place: str = "http") -> Iterator[str]:
    """The address of the root of `site`: of its folder ("file"), or below a base path of a static host.

    `place` is that path ("/repo/"), or "http" for `BASE_PATH`.
    """
    if place == "file":
        yield f"{site.as_uri()}/"
        return
    with serve_folder(site, BASE_PATH if place == "http" else place) as host:
        yield host.url()
