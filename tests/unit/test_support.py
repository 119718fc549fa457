"""The test tools themselves: a recorder that misses something would make every browser test worthless."""

from __future__ import annotations

import http.client
import inspect
import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tests.conftest import pytest_collection_modifyitems
from tests.support import requirements
from tests.support.browser import Record
from tests.support.once import once
from tests.support.web import StaticHost, published, serve_folder

PAGE = "<!doctype html><html lang=en><head><title>t</title>{head}</head><body>{body}</body></html>"


def page(folder: Path, name: str = "index.html", *, head: str = "", body: str = "text") -> Path:
    path = folder / name
    path.write_text(PAGE.format(head=head, body=body), encoding="utf-8")
    return path


def get(host: StaticHost, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host.origin.removeprefix("http://"))
    try:
        connection.putrequest("GET", target, skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class TestStaticHost:
    def test_serves_the_folder_only_under_its_base(self, tmp_path: Path, serve: Callable[..., StaticHost]):
        page(tmp_path)
        host = serve(tmp_path)
        assert get(host, "/some/base/index.html")[0] == 200
        assert get(host, "/some/base/")[0] == 200
        assert get(host, "/index.html")[0] == 404
        assert get(host, "/some/index.html")[0] == 404
        assert host.requests[0] == "/some/base/index.html"

    def test_a_missing_page_gets_the_folders_own_404(self, tmp_path: Path, serve: Callable[..., StaticHost]):
        page(tmp_path, "404.html", body="nothing here")
        status, body = get(serve(tmp_path), "/some/base/absent.html")
        assert status == 404
        assert b"nothing here" in body

    @pytest.mark.parametrize("target", ["/some/base/../secret", "/some/base/%2e%2e/secret"])
    def test_stays_inside_the_folder(self, tmp_path: Path, target: str):
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "site").mkdir()
        with serve_folder(tmp_path / "site") as host:
            assert get(host, target)[0] == 404

    def test_lists_no_folders(self, tmp_path: Path, serve: Callable[..., StaticHost]):
        (tmp_path / "inner").mkdir()
        assert get(serve(tmp_path), "/some/base/inner/")[0] == 404

    def test_a_base_without_slashes_is_refused(self, tmp_path: Path):
        with pytest.raises(ValueError, match="slash"), serve_folder(tmp_path, "base"):
            pass

    @pytest.mark.parametrize("place", ["file", "http", "/repo/"])
    def test_a_site_is_published_where_it_is_asked_for(self, tmp_path: Path, place: str):
        paths = {"file": f"{tmp_path}/", "http": "/some/base/"}
        with published(tmp_path, place) as root:
            assert urlsplit(root).scheme == ("file" if place == "file" else "http")
            assert urlsplit(root).path == paths.get(place, place)


class TestRecord:
    def test_what_was_on_its_way_when_a_page_was_left_is_no_problem(self):
        left, broken = "http://a/b.js: net::ERR_ABORTED", "http://a/b.js: net::ERR_FAILED"
        assert Record(failed=[left]).problems("http://a/") == []
        assert Record(failed=[left, broken]).problems("http://a/") == [f"failed {broken}"]

    def test_a_healthy_page_has_no_problems(self, tmp_path: Path, visit, serve):
        page(tmp_path, head="<link rel=icon href=data:,>")
        host = serve(tmp_path)
        caller = visit()
        assert caller.open(host.url("index.html")).inner_text("body") == "text"
        assert caller.record.problems(host.url()) == []
        assert caller.record.requests[0] == host.url("index.html")

    def test_a_healthy_file_has_no_problems(self, tmp_path: Path, visit):
        caller = visit()
        caller.open(page(tmp_path, head="<link rel=icon href=data:,>").as_uri())
        assert caller.record.problems(tmp_path.as_uri()) == []

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("<script>console.log('here')</script>", "console log: here"),
            ("<script>throw new Error('broken')</script>", "exception broken"),
            ("<script>alert('boo')</script>", "dialog alert: boo"),
            ("<script src=absent.js></script>", "absent.js: 404"),
            ("<img src=http://example.org/x.png alt=x>", "left the folder: http://example.org/x.png"),
            ("<img src=http://192.0.2.1/x.png alt=x>", "left the folder: http://192.0.2.1/x.png"),
            ("<script>window.open('other.html')</script>", "popup"),
        ],
    )
    def test_every_kind_of_trouble_is_seen(self, tmp_path: Path, visit, serve, body: str, kind: str):
        page(tmp_path, head="<link rel=icon href=data:,>", body=body)
        page(tmp_path, "other.html", head="<link rel=icon href=data:,>")
        host = serve(tmp_path)
        caller = visit()
        caller.page.goto(host.url("index.html"), wait_until="domcontentloaded")
        # A busy machine takes a while to open a window, or to tell of a request.
        for _ in range(50):
            caller.page.wait_for_timeout(100)
            if caller.record.problems(host.url()):
                break
        assert any(kind in problem for problem in caller.record.problems(host.url()))

    def test_a_policy_violation_is_seen(self, tmp_path: Path, visit, serve):
        policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
        page(tmp_path, head=policy, body="<script>document.title = 'ran'</script>")
        host = serve(tmp_path)
        caller = visit()
        opened = caller.open(host.url("index.html"))
        assert opened.title() == "t"
        assert any("script-src" in line for line in caller.record.console)

    def test_javascript_can_be_off(self, tmp_path: Path, visit):
        target = page(tmp_path, body="<script>document.title = 'ran'</script>")
        assert visit(javascript=False).open(target.as_uri()).title() == "t"

    def test_contexts_share_no_storage(self, tmp_path: Path, visit, serve):
        host = serve(tmp_path)
        page(tmp_path)
        visit().open(host.url("index.html")).evaluate("localStorage.setItem('a', '1')")
        assert visit().open(host.url("index.html")).evaluate("localStorage.getItem('a')") is None


class TestOnce:
    def test_it_is_made_by_the_first_who_asks(self, tmp_path_factory: pytest.TempPathFactory):
        made: list[Path] = []

        def make(folder: Path) -> None:
            made.append(folder)
            (folder / "text").write_text(str(len(made)))

        first, second = (once(tmp_path_factory, "support-once", make) for _ in range(2))
        assert first == second
        assert made == [first]
        assert (first / "text").read_text() == "1"

    def test_all_workers_of_a_run_share_it(
        self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ):
        found = []
        for worker in ("gw0", "gw1"):
            monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
            (tmp_path / worker).mkdir()
            monkeypatch.setattr(tmp_path_factory, "_basetemp", tmp_path / worker)
            found.append(once(tmp_path_factory, "shared", lambda folder: (folder / "made").mkdir()))
        assert found == [tmp_path / "once/shared"] * 2

    def test_what_failed_is_made_anew(self, tmp_path_factory: pytest.TempPathFactory):
        def fail(folder: Path) -> None:
            (folder / "half").touch()
            raise OSError("no room")

        with pytest.raises(OSError, match="no room"):
            once(tmp_path_factory, "support-failed", fail)
        folder = once(tmp_path_factory, "support-failed", lambda folder: (folder / "whole").touch())
        assert [path.name for path in folder.iterdir()] == ["whole"]


class TestRules:
    def test_syncing_waits_for_no_disk_but_for_a_handle(self, tmp_path: Path):
        with (tmp_path / "file").open("w") as file:
            os.fsync(file.fileno())
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fsync(999_999)

    def test_the_kernel_syncs_where_a_test_asks_for_it(self, kernel_syncs: None):
        assert inspect.isbuiltin(os.fsync)

    def test_slow_files_come_first_and_else_nothing_moves(self):
        slow = pytest.mark.slow
        marks = {"a": None, "b": slow.mark, "c": None, "d": slow.mark}
        items = [SimpleNamespace(name=name, get_closest_marker=lambda _, n=name: marks[n]) for name in marks]
        pytest_collection_modifyitems(items)  # type: ignore[arg-type]
        assert [item.name for item in items] == ["b", "d", "a", "c"]

    def test_this_process_reaches_no_other_machine(self):
        with socket.socket() as channel, pytest.raises(OSError, match="tests are offline"):
            channel.connect(("192.0.2.1", 80))

    def test_absence_skips_on_a_desk_and_fails_in_ci(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="no data"):
            requirements.missing("no data", fix="bring some")
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="no data"):
            requirements.missing("no data", fix="bring some")

    def test_the_shared_folder_can_be_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("ATLAS_SHARED", str(tmp_path))
        assert requirements.shared_folder() is None
        (tmp_path / "data").mkdir()
        assert requirements.shared_folder() == tmp_path.resolve()

    def test_chromium_can_be_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("ATLAS_CHROMIUM", "/opt/chrome")
        assert requirements.chromium_path() == "/opt/chrome"
