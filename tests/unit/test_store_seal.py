"""The seal of a site: what was written is read back, and nothing else is taken for it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from atlas.check import check_site
from atlas.store.seal import OPENING, SEAL_NAME, Seal, read_seal, seal_text
from tests.support import requirements, tiny_site

SEAL = Seal("0" * 64, {"index.html": "1" * 64, "alpha/0/1.html": "2" * 64, ".nojekyll": "3" * 64})
PARTS = {"alpha/features/1": "5" * 64, "alpha/features/0": "4" * 64}


def written(folder: Path, content: str | bytes) -> Seal | None:
    (folder / SEAL_NAME).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_seal(folder)


def test_what_was_written_is_read(tmp_path: Path):
    assert written(tmp_path, seal_text(SEAL)) == SEAL
    assert written(tmp_path, seal_text(Seal("", {}))) == Seal("", {})
    parts = Seal("6" * 64, SEAL.digests, PARTS)
    assert written(tmp_path, seal_text(parts)) == parts
    assert written(tmp_path, seal_text(Seal("", {}, PARTS))) == Seal("", {}, PARTS)


def test_keys_of_parts_come_before_the_files_and_are_sorted():
    lines = seal_text(Seal("", {"index.html": "1" * 64}, PARTS)).splitlines()
    assert lines[2:4] == [f"part {'4' * 64}  alpha/features/0", f"part {'5' * 64}  alpha/features/1"]
    assert lines[4] == f"{'1' * 64}  index.html"


def test_the_lines_are_sorted_and_the_last_one_is_the_hash_of_all_before(tmp_path: Path):
    lines = seal_text(SEAL).splitlines(keepends=True)
    assert lines[0] == OPENING
    assert lines[1] == f"made from {'0' * 64}\n"
    assert [line[66:-1] for line in lines[2:-1]] == [".nojekyll", "alpha/0/1.html", "index.html"]
    assert lines[-1] == f"{hashlib.sha256(''.join(lines[:-1]).encode()).hexdigest()}  {SEAL_NAME}\n"


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path):
    content = seal_text(Seal("7" * 64, {"index.html": "1" * 64}, {"model": "8" * 64})).encode()
    for bit in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert written(tmp_path, bytes(damaged)) is None, bit
    for length in range(len(content)):
        assert written(tmp_path, content[:length]) is None, length


@pytest.mark.parametrize(
    "content",
    [
        "",
        OPENING,
        "marker\n",
        seal_text(SEAL) * 2,
        seal_text(SEAL) + "\n",
        " " + seal_text(SEAL),
        "\x00",
        "\xff",
    ],
)
def test_anything_else_is_no_seal(tmp_path: Path, content: str):
    assert written(tmp_path, content) is None


def test_no_file_is_no_seal(tmp_path: Path):
    assert read_seal(tmp_path) is None
    (tmp_path / SEAL_NAME).mkdir()
    assert read_seal(tmp_path) is None


def test_sha256sum_reads_it_too(tmp_path: Path):
    """Who has no atlas can check a site with a tool that every Linux has."""
    site = tiny_site.make_site(tmp_path / "site")
    lines = (site / SEAL_NAME).read_text().splitlines()[2:-1]
    command = ["sha256sum", "--check", "--strict", "--quiet", "-"]
    for content, code in ((None, 0), (b"changed", 1)):
        if content is not None:
            (site / "assets/site.js").write_bytes(content)
        try:
            done = subprocess.run(
                command, cwd=site, input="\n".join(lines) + "\n", text=True, capture_output=True, check=False
            )
        except FileNotFoundError:
            requirements.missing("no sha256sum", fix="install the coreutils")
        assert done.returncode == code, done.stdout


class TestChecking:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Path:
        return tiny_site.make_site(tmp_path / "site")

    def test_a_changed_file_of_any_kind_is_named_once(self, site: Path):
        files = [path for path in sorted(site.rglob("*")) if path.is_file() and path.name != SEAL_NAME]
        for path in files:
            name = path.relative_to(site).as_posix()
            before = path.read_bytes()
            path.write_bytes(before + b"\n")
            found = check_site(site)
            assert [line for line in found if line.startswith(f"{name}: ")], (name, found)
            assert len(found) == 1, found
            path.write_bytes(before)
        assert check_site(site) == []

    def test_a_missing_file_that_no_page_needs_is_named(self, site: Path):
        tiny_site.write(site, "assets/extra.js", "void 1;\n")
        tiny_site.seal(site)
        (site / "assets/extra.js").unlink()
        assert check_site(site) == ["assets/extra.js: is missing"]

    def test_what_others_put_beside_it_is_their_business(self, site: Path):
        tiny_site.write(site, "CNAME", "atlas.example\n")
        assert check_site(site) == []

    def test_a_broken_seal_is_a_problem(self, site: Path):
        (site / SEAL_NAME).write_text(OPENING)
        assert check_site(site) == [f"{SEAL_NAME}: does not list the files of the site as they were written"]
