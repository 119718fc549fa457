"""The local server: contained in its site, alone on its machine, right in its types."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.cli.server import ADDRESS, MIME_TYPES, SiteServer, decode_path, find_answer, open_server
from atlas.errors import InputError

SECRET = b"secret outside the site"
PAGES = {
    "index.html": "<!doctype html><title>home</title>",
    "404.html": "<!doctype html><title>missing</title>",
    "alpha/index.html": "<!doctype html><title>alpha</title>",
    "alpha/0/7.html": "<!doctype html><title>seven</title>",
    "assets/atlas.css": "body{}",
    "assets/site.js": "void 0",
    "data/site.js": "atlasShard('site','')",
    "plain/note.txt": "note",
    "about v2%41.html": "odd name",
    ".atlas-site": "marker",
    ".hidden/index.html": "hidden",
}


PATIENCE = 120
"""Seconds after which the server counts as hung."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("serve")
    root = top / "site"
    for name, text in PAGES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (top / "secret.txt").write_bytes(SECRET)
    (top / "site-other").mkdir()
    (top / "site-other" / "index.html").write_bytes(SECRET)
    (root / "leak.txt").symlink_to(top / "secret.txt")
    (root / "leak").symlink_to(top)
    (root / "loop").symlink_to("loop")
    (root / "index2").mkdir()
    (root / "index2" / "index.html").symlink_to(top / "secret.txt")
    return root


@pytest.fixture(scope="module")
def server(site) -> Iterator[SiteServer]:
    with open_server(site, 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, target, method="GET", host=None, extra=()):
    """Send one raw request line, unnormalised; returns (status, headers, body)."""
    connection = http.client.HTTPConnection(ADDRESS, server.port, timeout=PATIENCE)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        if host != "":
            connection.putheader("Host", host or f"{ADDRESS}:{server.port}")
        for name, value in extra:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def raw(server, request: bytes) -> bytes:
    with socket.create_connection((ADDRESS, server.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def traversals() -> list[str]:
    """Spellings of 'out of the site', well over 200."""
    dots = [
        "..",
        "%2e%2e",
        "%2E%2e",
        ".%2e",
        "%2e.",
        "%252e%252e",
        "%c0%ae%c0%ae",
        "..%00",
        "..;",
        "....",
        "%u002e%u002e",
    ]
    slashes = ["/", "%2f", "%2F", "\\", "%5c", "%252f", "%c0%af", "//", "/./", "\\/"]
    targets = ["secret.txt", "etc/passwd"]
    found = [
        f"/{prefix}{dot}{slash}{target}"
        for prefix, dot, slash, target in product(("", "alpha/"), dots, slashes, targets)
    ]
    found += [
        f"/alpha/0{slash}{dot}{slash}{dot}{slash}{dot}{slash}secret.txt"
        for dot, slash in product(dots, slashes)
    ]
    found += [
        "/leak.txt", "/leak/secret.txt", "/leak/", "/leak", "/loop", "/loop/", "/index2/",
        "/index2/index.html", "/../site-other/index.html", "/..%2fsite-other/", "/%2e%2e/site-other/",
        "//etc/passwd", "///etc/passwd", "/%2fetc/passwd", "/etc/passwd", "/proc/self/environ",
        "/C:/Windows/win.ini", "/c:%5cwindows%5cwin.ini", "/file:///etc/passwd", "/~root/.bashrc", "/%00",
        "/index.html%00.js", "/index%0a.html", "/.atlas-site", "/.hidden/index.html", "/.hidden/",
        "/alpha/.%2e/.atlas-site", "/./index.html", "/alpha/./index.html", "/alpha//index.html",
        "/index.html/", "/index.html/x", "/%ff", "/%e2%80%ae", "/CON", "/nul", "/" + "a" * 300,
        "/" + "a/" * 3000, "*", "index.html", "http://evil.example/index.html",
        "http://127.0.0.1/../secret.txt", "/alpha/0/", "/alpha/0", "/assets/", "/data/", "/plain",
    ]  # fmt: skip
    return found


@pytest.mark.parametrize("chunk", range(4))
def test_no_spelling_leaves_the_site(server, chunk):
    spellings = traversals()
    assert len(spellings) >= 200
    for target in spellings[chunk::4]:
        status, _, body = ask_raw_target(server, target)
        assert status in {400, 404}, (target, status)
        assert SECRET not in body
        assert b"root:" not in body


def ask_raw_target(server, target):
    line = f"GET {target} HTTP/1.1\r\nHost: {ADDRESS}:{server.port}\r\nConnection: close\r\n\r\n"
    answer = raw(server, line.encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head, body


@given(st.text(alphabet=st.sampled_from("./\\%2eEfF5cC~:;?#a\x00é"), max_size=24))
def test_whatever_is_asked_stays_inside(site, text):
    answer = find_answer(site, "/" + text)
    if answer.file is not None:
        assert answer.file.resolve().is_relative_to(site.resolve())
        assert SECRET not in answer.file.read_bytes()
    if answer.location:
        assert answer.location.startswith("/")
        assert not answer.location.startswith("//")


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/alpha/", "alpha/index.html"),
        ("/alpha/0/7.html", "alpha/0/7.html"),
        ("/alpha/0/7.html?q=1&x=../..", "alpha/0/7.html"),
        ("/%61lpha/0/7.html", "alpha/0/7.html"),
        ("/about%20v2%2541.html", "about v2%41.html"),
    ],
)
def test_pages_are_served(server, target, file):
    status, _, body = ask(server, target)
    assert (status, body.decode()) == (200, PAGES[file])


def test_a_folder_without_its_slash_is_redirected_within_the_site(server):
    status, headers, _ = ask(server, "/alpha?q=1")
    assert (status, headers["Location"]) == (301, "/alpha/")
    assert ask(server, "//evil.example/alpha")[0] == 404


@pytest.mark.parametrize("target", ["/plain/", "/assets/", "/alpha/0/", "/data"])
def test_folders_are_not_listed(server, target):
    status, _, body = ask(server, target)
    assert status == 404
    assert b"note.txt" not in body


def test_a_missing_page_gets_the_sites_own_page(server):
    status, headers, body = ask(server, "/alpha/0/99.html")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert body.decode() == PAGES["404.html"]


@pytest.mark.parametrize("suffix", sorted(MIME_TYPES))
def test_types_do_not_depend_on_the_machine(site, server, suffix):
    name = f"type{suffix}"
    (site / name).write_bytes(b"x")
    _, headers, _ = ask(server, f"/{name}")
    (site / name).unlink()
    assert headers["Content-Type"] == MIME_TYPES[suffix]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_unknown_types_are_only_downloaded(site, server):
    (site / "x.parquet").write_bytes(b"PAR1")
    assert ask(server, "/x.parquet")[1]["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil.example",
     "localhost", "0.0.0.0:{port}", "", "[::1]:{port}"],
)  # fmt: skip
def test_a_foreign_host_is_refused(server, host):
    status, _, body = ask(server, "/", host=host.format(port=server.port))
    assert status == 403
    assert b"home" not in body


def test_its_own_names_are_accepted(server):
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}", f"LOCALHOST:{server.port}"):
        assert ask(server, "/", host=host)[0] == 200


def test_head_sends_no_body(server):
    status, headers, body = ask(server, "/index.html", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(PAGES["index.html"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
def test_nothing_can_be_written(server, method):
    assert ask(server, "/index.html", method=method)[0] == 501


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/"


def test_a_slow_connection_does_not_block_the_others(server):
    with socket.create_connection((ADDRESS, server.port)) as idle:
        idle.sendall(b"GET / HT")
        assert ask(server, "/")[0] == 200


def test_a_replaced_site_is_served_at_once(tmp_path):
    root = tmp_path / "site"
    root.mkdir()
    (root / "index.html").write_text("old")
    with open_server(root, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        assert ask(server, "/")[2] == b"old"
        new = tmp_path / "new"
        new.mkdir()
        (new / "index.html").write_text("new")
        root.rename(tmp_path / "gone")
        new.rename(root)
        assert ask(server, "/")[2] == b"new"
        server.shutdown()
        thread.join()


def test_a_busy_port_is_one_clear_error(server, site):
    with pytest.raises(
        InputError, match=f"port {server.port} of 127.0.0.1 cannot be used: address already in use"
    ) as caught:
        open_server(site, server.port)
    assert "--port 0" in caught.value.fix


def test_a_port_out_of_range_is_one_clear_error(site):
    with pytest.raises(InputError, match="port 70000 is not between 0 and 65535"):
        open_server(site, 70000)


@pytest.mark.parametrize(
    "target",
    ["/..", "/../x", "/a/../b", "/./x", "/a/.", "/%2e%2e/x", "/a/%2e", "//x", "x", "*", "", "/a\\b", "/%5c",
     "/%00", "/%0a", "/%7f", "/%ff", "/%c0%ae%c0%ae/x", "/%e2%80%ae", "http://x/"],
)  # fmt: skip
def test_malformed_paths_are_refused_before_any_file_is_looked_at(target):
    assert decode_path(target) is None


@given(st.text(max_size=30))
def test_decoding_is_done_once(text):
    assert decode_path("/" + quote("%41" + "x")) == "/%41x"
    path = decode_path("/" + quote(text, safe=""))
    if path is not None:
        assert path == "/" + text
