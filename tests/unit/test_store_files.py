"""Atomic writes, and errors of the disk in words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from atlas.errors import DiskError, InputError
from atlas.store.files import (
    disk_error,
    disk_errors,
    fsync_folder,
    make_folder,
    read_bytes,
    sha256_file,
    write_atomic,
)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Journal:
    """Records the order of system calls of one write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        for name in ("fsync", "replace", "close"):
            monkeypatch.setattr(os, name, self._spy(name, getattr(os, name)))

    def _spy(self, name: str, original):
        def call(*arguments: int):
            kind = name
            if name == "fsync":
                kind = "fsync folder" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else "fsync file"
            self.calls.append(kind)
            return original(*arguments)

        return call


class TestWriteAtomic:
    @pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 5000])
    def test_content(self, tmp_path: Path, data: bytes):
        write_atomic(tmp_path / "a", data)
        assert (tmp_path / "a").read_bytes() == data

    def test_it_replaces_and_leaves_nothing_else(self, tmp_path: Path):
        write_atomic(tmp_path / "a", b"old")
        write_atomic(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_it_makes_folders(self, tmp_path: Path):
        write_atomic(tmp_path / "x/y/z/a", b"1")
        assert (tmp_path / "x/y/z/a").read_bytes() == b"1"

    def test_the_file_is_synced_and_closed_before_it_is_renamed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        journal = Journal(monkeypatch)
        write_atomic(tmp_path / "a", b"abc")
        assert journal.calls == ["fsync file", "close", "replace", "fsync folder", "close"]

    def test_a_staged_file_is_not_synced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        journal = Journal(monkeypatch)
        write_atomic(tmp_path / "a", b"abc", durable=False)
        assert journal.calls == ["close", "replace"]

    def test_short_writes_are_continued(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        original = os.write
        monkeypatch.setattr(os, "write", lambda handle, data: original(handle, data[:3]))
        write_atomic(tmp_path / "a", b"0123456789")
        assert (tmp_path / "a").read_bytes() == b"0123456789"

    @pytest.mark.parametrize("call", ["write", "fsync", "close"])
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
    def test_a_failing_call_leaves_the_old_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
    ):
        path = tmp_path / "a"
        write_atomic(path, b"old")
        original = getattr(os, call)

        def fail(*arguments: int):
            if call == "close":
                original(*arguments)
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(DiskError) as caught:
                write_atomic(path, b"new content")
        assert caught.value.where == str(path)
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["a"]

    def test_permissions_follow_the_umask(self, tmp_path: Path):
        before = os.umask(0o027)
        try:
            write_atomic(tmp_path / "a", b"")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640

    def test_a_link_is_replaced_not_followed(self, tmp_path: Path):
        (tmp_path / "target").write_bytes(b"precious")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        write_atomic(tmp_path / "link", b"new")
        assert (tmp_path / "target").read_bytes() == b"precious"
        assert not (tmp_path / "link").is_symlink()

    def test_a_folder_in_the_place_of_the_file(self, tmp_path: Path):
        (tmp_path / "a").mkdir()
        with pytest.raises(DiskError) as caught:
            write_atomic(tmp_path / "a", b"x")
        assert caught.value.exit_code == 4
        assert [entry.name for entry in tmp_path.iterdir()] == ["a"]

    def test_a_file_in_the_place_of_a_folder(self, tmp_path: Path):
        (tmp_path / "a").touch()
        with pytest.raises(DiskError):
            write_atomic(tmp_path / "a/b", b"x")

    def test_a_name_that_is_too_long(self, tmp_path: Path):
        with pytest.raises(DiskError, match="too long"):
            write_atomic(tmp_path / ("x" * 300), b"x")
        assert list(tmp_path.iterdir()) == []


class TestParts:
    def test_follow_each_other(self, tmp_path: Path):
        write_atomic(tmp_path / "x", b"one ", memoryview(b"two "), b"", b"three")
        assert (tmp_path / "x").read_bytes() == b"one two three"

    def test_none_at_all_are_an_empty_file(self, tmp_path: Path):
        write_atomic(tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == b""

    def test_a_slow_disk_takes_them_piece_by_piece(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
        write_atomic(tmp_path / "x", b"0123456789", b"abcdef")
        assert (tmp_path / "x").read_bytes() == b"0123456789abcdef"

    def test_all_of_them_are_needed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def full(handle: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(DiskError, match=r"^the disk is full: 1,700 bytes needed, "):
            write_atomic(tmp_path / "x", bytes(1000), bytes(700))
        assert list(tmp_path.iterdir()) == []


class TestDiskErrors:
    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EDQUOT, "quota"),
            (errno.EFBIG, "file-size limit"),
            (errno.EACCES, "permission denied"),
            (errno.EPERM, "not permitted"),
            (errno.EROFS, "read-only"),
            (errno.EMFILE, "too many open files"),
            (errno.EIO, "input/output error"),
            (errno.ENAMETOOLONG, "too long"),
            (errno.ENOLCK, "cannot lock"),
        ],
    )
    def test_each_cause_has_words_and_a_remedy(self, tmp_path: Path, number: int, words: str):
        error = disk_error(OSError(number, os.strerror(number)), tmp_path / "x")
        assert words in error.what
        assert error.where == str(tmp_path / "x")
        assert error.fix
        assert error.exit_code == 4

    def test_a_full_disk_tells_needed_and_free_bytes(self, tmp_path: Path):
        error = disk_error(OSError(errno.ENOSPC, "x"), tmp_path / "not/yet/there", needed=1_234_567)
        assert "1,234,567 bytes needed" in error.what
        assert "bytes free" in error.what

    def test_other_causes_keep_the_systems_words(self, tmp_path: Path):
        assert (
            disk_error(OSError(errno.EXDEV, "Invalid cross-device link"), tmp_path).what
            == "Invalid cross-device link"
        )
        assert disk_error(OSError("no number"), tmp_path).what == "no number"

    def test_only_errors_of_the_system_are_turned(self, tmp_path: Path):
        with pytest.raises(ZeroDivisionError), disk_errors(tmp_path):
            raise ZeroDivisionError

    def test_the_cause_is_kept(self, tmp_path: Path):
        with pytest.raises(DiskError) as caught, disk_errors(tmp_path):
            raise OSError(errno.EIO, "x")
        assert isinstance(caught.value.__cause__, OSError)


class TestReading:
    def test_content_and_hash(self, tmp_path: Path):
        path = tmp_path / "a"
        path.write_bytes(b"abc")
        assert read_bytes(path) == b"abc"
        assert sha256_file(path) == ABC_SHA256
        path.write_bytes(b"")
        assert sha256_file(path) == EMPTY_SHA256

    def test_hash_of_a_file_larger_than_one_chunk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("atlas.store.files._CHUNK", 2)
        (tmp_path / "a").write_bytes(b"abc")
        assert sha256_file(tmp_path / "a") == ABC_SHA256

    def test_the_limit(self, tmp_path: Path):
        (tmp_path / "a").write_bytes(b"abc")
        assert read_bytes(tmp_path / "a", 3) == b"abc"
        with pytest.raises(InputError, match="larger than 2 bytes"):
            read_bytes(tmp_path / "a", 2)

    @pytest.mark.parametrize("read", [read_bytes, sha256_file])
    def test_what_is_missing_is_bad_input_and_what_is_unreadable_a_disk_error(self, tmp_path: Path, read):
        with pytest.raises(InputError, match="does not exist"):
            read(tmp_path / "a")
        with pytest.raises(DiskError, match="is a folder"):
            read(tmp_path)


class TestFolders:
    def test_make_folder_twice(self, tmp_path: Path):
        for _ in range(2):
            make_folder(tmp_path / "a/b")
        assert (tmp_path / "a/b").is_dir()

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
    def test_mounts_that_cannot_sync_folders(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ):
        def refuse(handle: int) -> None:
            raise OSError(number, "x")

        monkeypatch.setattr(os, "fsync", refuse)
        fsync_folder(tmp_path)

    def test_other_failures_of_a_sync_are_errors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def refuse(handle: int) -> None:
            raise OSError(errno.EIO, "x")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="x"):
            fsync_folder(tmp_path)
