"""A static host as published sites have it: compressed answers, kept connections, ten minutes of cache."""

from __future__ import annotations

import contextlib
import gzip
import mimetypes
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_COMPRESSED = {".html", ".js", ".css", ".svg", ".json"}


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    packed: dict[Path, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = (folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
            found = path.is_relative_to(folder) and path.is_file()
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            body, small = b"", False
            if found:
                body = path.read_bytes()
                small = path.suffix in _COMPRESSED
            if small:
                body = packed.setdefault(path, packed.get(path) or gzip.compress(body, 6, mtime=0))
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            if small:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Silence."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a connection is no error."""


@contextlib.contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """Serve `folder` on a free loopback port for the block; its address, with a slash at the end."""
    with _Server(("127.0.0.1", 0), _handler(folder.resolve())) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
