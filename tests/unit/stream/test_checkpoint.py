"""What an unfinished pass keeps: whole or not there, of these inputs or refused, and cheap."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.errors import DiskError, InputError
from atlas.stream.checkpoint import RECORD, SHARE, Checkpoint, Counts, Keeper

SECTIONS: dict[str, Any] = {"config": {"corpus": {"tokens": 1000}}, "files": {"model, x": "0" * 64}}
STATE = {
    "saes.a/counts": np.arange(7, dtype=np.int64),
    "saes.a/matrix": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "saes.a/nothing": np.zeros((0, 4), dtype=np.float64),
    "saes.a/one": np.array(5, dtype=np.uint16),
    "saes.a/flags": np.array([True, False]),
}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoint:
    found = Checkpoint(tmp_path / ".partial" / "checkpoint")
    found.save(STATE, Counts(read=300, counted=290, contexts=3), "ab" * 32, SECTIONS)
    return found


def again(kept: Checkpoint) -> Checkpoint:
    """As the next process sees it."""
    return Checkpoint(kept.folder)


def names(kept: Checkpoint) -> list[str]:
    return sorted(path.name for path in kept.folder.iterdir())


class TestRoundTrip:
    def test_everything_comes_back(self, kept: Checkpoint):
        found = again(kept).load()
        assert found is not None
        commit, state = found
        assert commit.counts == Counts(300, 290, 3)
        assert commit.tokens_sha256 == "ab" * 32
        assert commit.sections == SECTIONS
        assert state.keys() == STATE.keys()
        for name, array in STATE.items():
            assert (state[name].dtype, state[name].shape) == (array.dtype, array.shape)
            assert state[name].tobytes() == array.tobytes()
            assert state[name].flags.writeable

    def test_no_arrays_at_all(self, tmp_path: Path):
        empty = Checkpoint(tmp_path / "c")
        empty.save({}, Counts(), "", {})
        found = again(empty).load()
        assert found is not None
        assert found[1] == {}

    def test_nothing_is_there_before_the_first_commit(self, tmp_path: Path):
        found = Checkpoint(tmp_path / "none")
        assert found.commit is None
        assert found.load() is None
        assert found.notes == []
        assert not found.folder.exists()

    def test_the_next_commit_replaces_the_last(self, kept: Checkpoint):
        (first,) = (name for name in names(kept) if name != RECORD)
        kept.save({"x": np.arange(3)}, Counts(read=600), "cd" * 32, SECTIONS)
        assert len(names(kept)) == 2
        assert first not in names(kept)
        assert again(kept).commit is not None
        assert again(kept).commit.counts.read == 600  # pyright: ignore[reportOptionalMemberAccess]

    def test_equal_states_are_equal_files(self, kept: Checkpoint, tmp_path: Path):
        other = Checkpoint(tmp_path / "other")
        other.save(STATE, Counts(read=300, counted=290, contexts=3), "ab" * 32, SECTIONS)
        for name in names(kept):
            assert (kept.folder / name).read_bytes() == (other.folder / name).read_bytes()

    def test_discarding_leaves_nothing(self, kept: Checkpoint):
        (kept.folder / ".atlas-0123456789abcdef.tmp").touch()
        kept.discard()
        assert not kept.folder.parent.exists()
        kept.discard()

    def test_a_link_is_not_followed(self, kept: Checkpoint, tmp_path: Path):
        (tmp_path / "link").symlink_to(kept.folder)
        Checkpoint(tmp_path / "link").discard()
        assert len(names(kept)) == 2


class TestFaults:
    @pytest.mark.parametrize("bit", range(0, 8 * 120, 37))
    @pytest.mark.parametrize("file", [RECORD, "state"])
    def test_any_flipped_bit_is_noticed(self, kept: Checkpoint, file: str, bit: int):
        path = next(kept.folder.glob(f"*{file}"))
        data = bytearray(path.read_bytes())
        place = bit // 8 * len(data) // 120
        data[place] ^= 1 << bit % 8
        path.write_bytes(data)
        found = again(kept)
        assert found.load() is None
        (note,) = found.notes
        assert "is damaged" in note
        assert "starts over" in note
        assert not kept.folder.exists()

    @pytest.mark.parametrize("length", [0, 1, 10, -1])
    @pytest.mark.parametrize("file", [RECORD, "state"])
    def test_so_is_a_missing_end(self, kept: Checkpoint, file: str, length: int):
        path = next(kept.folder.glob(f"*{file}"))
        path.write_bytes(path.read_bytes()[:length])
        assert again(kept).load() is None

    @pytest.mark.parametrize(
        "content", [b"null", b"[]", b"3", b'"x"', b"{}", b'{"record_sha256": 1}', b"[" * 100_000, b"\xff\xfe"]
    )
    def test_garbage_is_no_commit(self, kept: Checkpoint, content: bytes):
        (kept.folder / RECORD).write_bytes(content)
        found = again(kept)
        assert found.commit is None
        assert found.load() is None
        assert len(found.notes) == 1

    def test_a_forged_name_does_not_lead_out_of_the_folder(self, kept: Checkpoint, tmp_path: Path):
        from atlas.stream.inputs import digest

        body = json.loads((kept.folder / RECORD).read_bytes())
        del body["record_sha256"]
        body["file"] = "../../outside.state"
        (tmp_path / "outside.state").write_bytes(b"")
        (kept.folder / RECORD).write_text(json.dumps({**body, "record_sha256": digest(body)}))
        assert again(kept).load() is None

    @pytest.mark.parametrize("call", ["fsync", "replace", "write", "open"])
    @pytest.mark.parametrize("nth", [1, 2, 3])
    def test_a_failed_commit_leaves_the_last_one(
        self, kept: Checkpoint, call: str, nth: int, monkeypatch: pytest.MonkeyPatch
    ):
        before = again(kept).load()
        assert before is not None
        original, calls = getattr(os, call), 0

        def failing(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                raise OSError(28, "No space left on device")
            return original(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                kept.save({"x": np.arange(99)}, Counts(read=900), "", SECTIONS)
            except DiskError as error:
                assert "bytes free" in error.what  # noqa: PT017 - whether it fails depends on the call
        found = again(kept).load()
        assert found is not None
        assert found[0].counts.read in {300, 900}
        if found[0].counts.read == 300:
            assert found[0] == before[0]
        kept.save({"x": np.arange(99)}, Counts(read=901), "", SECTIONS)
        assert len(names(kept)) == 2


class TestOtherInputs:
    def test_the_same_ones_are_welcome(self, kept: Checkpoint):
        again(kept).refuse_other(SECTIONS)
        again(kept).refuse_other({"files": SECTIONS["files"]})

    def test_each_difference_is_named(self, kept: Checkpoint):
        other = {"config": {"corpus": {"tokens": 2000}}, "files": {"model, x": "1" * 64}}
        with pytest.raises(InputError) as caught:
            again(kept).refuse_other(other)
        error = caught.value
        assert "(300 tokens read); since it began:" in error.what
        assert error.what.splitlines()[1:] == [
            "- corpus.tokens was 1,000, is now 2,000",
            "- the file of the model, x changed",
        ]
        assert error.where == str(kept.folder)
        assert "--fresh" in error.fix

    def test_a_long_list_is_cut(self, kept: Checkpoint):
        other = {"config": {"corpus": {f"key_{n}": n for n in range(20)}}}
        with pytest.raises(InputError, match="… and 13 more"):
            again(kept).refuse_other(other)

    def test_nothing_kept_is_nothing_to_refuse(self, tmp_path: Path):
        Checkpoint(tmp_path / "none").refuse_other({"config": {"x": 1}})


class TestSchedule:
    def checkpoint(self, tmp_path: Path, seconds: float) -> tuple[Checkpoint, Clock]:
        clock = Clock()
        return Checkpoint(tmp_path / "c", seconds=seconds, clock=clock), clock

    def test_nothing_is_due_before_its_time(self, tmp_path: Path):
        found, clock = self.checkpoint(tmp_path, 60)
        clock.now = 59.9
        assert not found.due()
        clock.now = 60
        assert found.due()
        found.save({}, Counts(), "", {})
        assert not found.due()
        clock.now = 120
        assert found.due()

    def test_zero_is_always_due(self, tmp_path: Path):
        found, clock = self.checkpoint(tmp_path, 0)
        assert found.due()
        clock.step = 10
        found.save({}, Counts(), "", {})
        assert found.due()

    def test_slow_commits_cost_two_percent_at_most(self, tmp_path: Path):
        found, clock = self.checkpoint(tmp_path, 60)
        clock.step = 7
        found.save({}, Counts(), "", {})
        clock.step = 0
        clock.now += 7 * SHARE - 1
        assert not found.due()
        clock.now += 1
        assert found.due()


class TestKeeper:
    def test_nobody_asks(self, tmp_path: Path):
        Keeper(Checkpoint(tmp_path), {}).stop_if_asked()

    def test_somebody_asks(self, tmp_path: Path):
        with pytest.raises(KeyboardInterrupt):
            Keeper(Checkpoint(tmp_path), {}, lambda: True).stop_if_asked()
