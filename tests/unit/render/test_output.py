"""The site folder: staged beside, switched by one exchange, never a stranger's."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.errors import DiskError, InputError
from atlas.render import output
from atlas.render.output import MARKER, Output
from atlas.store.seal import OPENING, read_seal


def write_site(folder: Path, text: bytes, *, also: str = "a/0/1.html") -> None:
    with Output(folder) as out:
        out.write("index.html", text)
        out.write(also, text)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sealed(files: dict[str, bytes], made_from: str = "") -> bytes:
    """The marker of a site of `files`."""
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    text = f"{OPENING}made from {made_from}\n{lines}"
    return f"{text}{hashlib.sha256(text.encode()).hexdigest()}  {MARKER}\n".encode()


def fail(folder: Path, error: type[BaseException]) -> None:
    with Output(folder) as out:
        out.write("index.html", b"two")
        raise error


def nothing_else(folder: Path) -> bool:
    """Whether the site is all that lies in its parent folder."""
    return [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_new_site_appears_whole(tmp_path: Path):
    write_site(tmp_path / "site", b"one")
    assert tree(tmp_path / "site") == {
        MARKER: sealed({"a/0/1.html": b"one", "index.html": b"one"}),
        "index.html": b"one",
        "a/0/1.html": b"one",
    }
    assert nothing_else(tmp_path / "site")


def test_sizes_are_counted(tmp_path: Path):
    with Output(tmp_path / "site") as out:
        out.write("index.html", b"four")
        assert out.sizes["index.html"] == 4
        assert out.total_bytes == 4 + len(OPENING)
        out.seal()
        assert out.total_bytes == 4 + len(sealed({"index.html": b"four"}))


def test_missing_parents_are_made(tmp_path: Path):
    write_site(tmp_path / "x" / "y" / "site", b"one")
    assert (tmp_path / "x" / "y" / "site" / "index.html").read_bytes() == b"one"


def test_a_second_site_replaces_the_first_without_leftovers(tmp_path: Path):
    write_site(tmp_path / "site", b"one", also="old/0/1.html")
    write_site(tmp_path / "site", b"two", also="new/0/1.html")
    assert set(tree(tmp_path / "site")) == {MARKER, "index.html", "new/0/1.html"}
    assert nothing_else(tmp_path / "site")


def test_the_previous_site_is_untouched_until_the_end(tmp_path: Path):
    site = tmp_path / "site"
    write_site(site, b"one")
    before = tree(site)
    with Output(site) as out:
        out.write("index.html", b"two")
        assert tree(site) == before
    assert tree(site)["index.html"] == b"two"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_previous_site_and_leaves_nothing(tmp_path: Path, error: type[BaseException]):
    site = tmp_path / "site"
    write_site(site, b"one")
    before = tree(site)
    with pytest.raises(error):
        fail(site, error)
    assert tree(site) == before
    assert nothing_else(site)


def test_a_failure_without_a_previous_site_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError):  # noqa: PT011 - any
        fail(tmp_path / "site", ValueError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("switch", ["exchange", "two renames"])
def test_a_reader_never_sees_a_broken_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str):
    if switch == "two renames":
        monkeypatch.setattr(output, "_exchange", lambda first, second: False)
    site, stop, seen = tmp_path / "site", threading.Event(), set[bytes]()
    write_site(site, b"0")
    missing: list[int] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add((site / "index.html").read_bytes())
            except OSError:
                missing.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 15):
        write_site(site, str(number).encode())
    stop.set()
    reader.join()
    assert seen <= {str(number).encode() for number in range(15)}
    if switch == "exchange" and os.uname().sysname == "Linux":
        assert missing == []
    assert nothing_else(site)


@pytest.mark.parametrize("name", ["notes.txt", ".git", "index.html", ".hidden"])
def test_a_folder_of_someone_else_is_refused(tmp_path: Path, name: str):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_text("mine")
    with pytest.raises(InputError) as caught, Output(tmp_path / "site"):
        pytest.fail("not reached")
    assert caught.value.exit_code == 2
    assert name in caught.value.what
    assert str(tmp_path / "site") in caught.value.where
    assert (tmp_path / "site" / name).read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path):
    (tmp_path / "site").mkdir()
    write_site(tmp_path / "site", b"one")
    assert (tmp_path / "site" / "index.html").exists()


def test_a_file_in_the_way_is_refused(tmp_path: Path):
    (tmp_path / "site").write_text("mine")
    with pytest.raises(InputError, match="is a file"), Output(tmp_path / "site"):
        pytest.fail("not reached")


def test_files_that_appear_while_rendering_are_not_deleted(tmp_path: Path):
    out = Output(tmp_path / "site")
    out.__enter__()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError):
        out.__exit__(None, None, None)
    assert (tmp_path / "site" / "thesis.tex").read_text() == "mine"


def test_a_staging_folder_left_by_a_killed_run_is_removed(tmp_path: Path):
    dead = Output(tmp_path / "site")
    dead.__enter__()
    dead.write("left/0/1.html", b"over")
    write_site(tmp_path / "site", b"one")
    assert "left/0/1.html" not in tree(tmp_path / "site")
    assert nothing_else(tmp_path / "site")


def test_a_strangers_folder_in_the_place_of_staging_is_refused(tmp_path: Path):
    staging = Output(tmp_path / "site").staging
    staging.mkdir()
    (staging / "mine.txt").write_text("mine")
    with pytest.raises(InputError), Output(tmp_path / "site"):
        pytest.fail("not reached")
    assert (staging / "mine.txt").read_text() == "mine"


def test_a_linked_site_is_replaced_where_it_lies(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "elsewhere")
    write_site(tmp_path / "site", b"one")
    assert (tmp_path / "site").is_symlink()
    assert (tmp_path / "elsewhere" / "index.html").read_bytes() == b"one"


@pytest.mark.parametrize(
    "path",
    [
        "../x.html",
        "/etc/x",
        "a/../b.html",
        "A.html",
        "a//b.html",
        "a\\b.html",
        ".git/config",
        "con\0.html",
        "",
        "a/",
        "~/x",
        "ä.html",
        "a b.html",
        "-x.html",
        "x/.atlas-site",
    ],
)
def test_paths_outside_the_alphabet_are_refused(tmp_path: Path, path: str):
    with Output(tmp_path / "site") as out, pytest.raises(ValueError, match="no path"):
        out.write(path, b"x")


@given(st.text(max_size=20))
def test_no_path_leads_out_of_the_folder(path: str):
    if output._PATH.fullmatch(path):
        parts = path.split("/")
        assert ".." not in parts
        assert "" not in parts
        assert path == path.lower()


def test_a_path_is_written_once(tmp_path: Path):
    with Output(tmp_path / "site") as out:
        out.write("a.html", b"x")
        with pytest.raises(ValueError, match="twice"):
            out.write("a.html", b"y")


def test_a_full_disk_is_a_disk_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site = tmp_path / "site"
    write_site(site, b"one")
    before = tree(site)
    real = os.write

    def full(handle: int, data: bytes) -> int:
        if bytes(data) == b"two":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError) as caught, Output(site) as out:
        out.write("index.html", b"two")
    assert caught.value.exit_code == 4
    assert "full" in caught.value.what
    assert "index.html" in caught.value.where
    assert tree(site) == before
    assert nothing_else(site)


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data)[:3]))
    write_site(tmp_path / "site", b"0123456789")
    assert (tmp_path / "site" / "index.html").read_bytes() == b"0123456789"


def test_a_removal_that_is_cut_short_can_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_site(tmp_path / "old", b"one")

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(output.shutil, "rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        output._remove_site(tmp_path / "old")
    assert (tmp_path / "old" / MARKER).exists()
    monkeypatch.undo()
    output._remove_site(tmp_path / "old")
    assert not (tmp_path / "old").exists()


class TestUnchangedFiles:
    """What the site before has with the same bytes is taken over, and only that."""

    def write(self, folder: Path, files: dict[str, bytes]) -> Output:
        with Output(folder) as out:
            for path, data in files.items():
                out.write(path, data)
        return out

    def test_they_are_shared_and_keep_their_time(self, tmp_path: Path):
        site = tmp_path / "site"
        self.write(site, {"a.html": b"one", "b/c.html": b"two"})
        os.utime(site / "b/c.html", ns=(10**9, 10**9))
        out = self.write(site, {"a.html": b"changed", "b/c.html": b"two", "d.html": b"new"})
        assert out.written == 2
        assert (site / "b/c.html").stat().st_mtime_ns == 10**9
        assert [(site / name).read_bytes() for name in ("a.html", "b/c.html", "d.html")] == [
            b"changed",
            b"two",
            b"new",
        ]
        assert out.sizes["b/c.html"] == 3
        seal = read_seal(site)
        assert seal is not None
        assert seal.digests.keys() == {"a.html", "b/c.html", "d.html"}

    def test_a_file_that_was_tampered_with_is_written_again(self, tmp_path: Path):
        site = tmp_path / "site"
        self.write(site, {"a.html": b"one", "b.html": b"two", "c.html": b"three"})
        (site / "a.html").write_bytes(b"0ne")
        (site / "b.html").unlink()
        (site / "c.html").unlink()
        (tmp_path / "elsewhere").write_bytes(b"three")
        (site / "c.html").symlink_to(tmp_path / "elsewhere")
        out = self.write(site, {"a.html": b"one", "b.html": b"two", "c.html": b"three"})
        assert out.written == 3
        assert (site / "a.html").read_bytes() == b"one"
        assert not (site / "c.html").is_symlink()

    def test_without_links_they_are_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_: object) -> None:
            raise OSError("no links here")

        site = tmp_path / "site"
        self.write(site, {"a.html": b"one"})
        monkeypatch.setattr(os, "link", refuse)
        assert self.write(site, {"a.html": b"one"}).written == 1
        assert (site / "a.html").read_bytes() == b"one"

    def part(self, folder: Path, key: str, *, keys: tuple[str, ...] = ()) -> tuple[bool, Output]:
        """Keep the part of two files where one of `keys` allows it, else write it."""
        with Output(folder) as out:
            out.write("index.html", key.encode())
            kept = out.keep("some", keys, ["a/1.html", "a/2.html"])
            if not kept:
                out.write("a/1.html", b"one")
                out.write("a/2.html", b"two")
                out.record("some", key)
        return kept, out

    def test_a_part_of_the_same_key_is_kept(self, tmp_path: Path):
        site = tmp_path / "site"
        assert not self.part(site, "1" * 64, keys=("1" * 64,))[0], "there is no site before"
        first = tree(site)
        kept, out = self.part(site, "1" * 64, keys=("0" * 64, "1" * 64))
        assert kept
        assert out.written == 0
        assert tree(site) == first
        assert out.sizes["a/2.html"] == 3
        assert (site / "a/1.html").stat().st_nlink == 1
        assert self.part(site, "1" * 64, keys=("1" * 64,))[0], "its key is kept too"

    def test_a_part_of_another_key_or_name_is_not(self, tmp_path: Path):
        site = tmp_path / "site"
        self.part(site, "1" * 64)
        with Output(site) as out:
            assert not out.keep("some", ["2" * 64], ["a/1.html"])
            assert not out.keep("other", ["1" * 64], ["a/1.html"])
            assert not out.keep("some", [], ["a/1.html"])
            assert not (out.staging / "a").exists()
            assert not out.keep("some", ["1" * 64], ["a/1.html", "never/written.html"])
            assert not (out.staging / "a").exists(), "all files or none"
        seal = read_seal(site)
        assert seal is not None
        assert seal.parts == {}

    def test_a_part_is_kept_only_as_it_was_sealed(self, tmp_path: Path):
        site = tmp_path / "site"
        self.part(site, "1" * 64)
        before = tree(site)
        (site / "a/2.html").write_bytes(b"tw0")
        kept, out = self.part(site, "1" * 64, keys=("1" * 64,))
        assert not kept
        assert out.written == 1
        assert tree(site) == before

    def test_a_render_that_fails_leaves_the_shared_file_alone(self, tmp_path: Path):
        site = tmp_path / "site"
        self.write(site, {"a.html": b"one"})
        out = Output(site)
        out.__enter__()
        out.write("a.html", b"one")
        assert (out.staging / "a.html").stat().st_nlink == 2
        out.__exit__(RuntimeError, RuntimeError(), None)
        assert (site / "a.html").read_bytes() == b"one"
        assert (site / "a.html").stat().st_nlink == 1
