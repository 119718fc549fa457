"""Damage, full disks, missing permission and kill -9: nothing is lost, nothing wrong is read."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.errors import AtlasError, DiskError, InputError
from atlas.schema import COORDS
from atlas.store import AtlasStore, verify_dataset
from tests.support.synthetic import make_atlas
from tests.unit.test_store import coords, files_of

FLIPS = 28
"""Random single-bit flips per file."""
TRUNCATIONS = 10
"""Random truncations per file."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_atlas(tmp_path_factory.mktemp("faults") / "data", n_features=24, saes=("alpha",)).path


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "data"))


def read_everything(data: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of all tables."""
    store = AtlasStore.open(data)
    found = {}
    for key in store.manifest.tables:
        sae, _, table = key.rpartition("/")
        found[key] = store.read(table, sae or None).to_pylist()
    return found


class TestDamage:
    def test_every_bit_flip_in_every_file_is_detected_and_nothing_wrong_is_read(self, data: Path):
        rng = random.Random(1)  # noqa: S311 - seeded test data
        tried = 0
        for name, content in files_of(data).items():
            path = data / name
            for _ in range(FLIPS):
                bit = rng.randrange(len(content) * 8)
                damaged = bytearray(content)
                damaged[bit // 8] ^= 1 << bit % 8
                path.write_bytes(damaged)
                problems = verify_dataset(data)
                assert problems, f"bit {bit} of {name}"
                assert any(name in problem for problem in problems)
                with pytest.raises(InputError) as caught:
                    read_everything(data)
                assert name in caught.value.where
                tried += 1
            path.write_bytes(content)
        assert tried >= 300
        assert verify_dataset(data) == []

    def test_every_truncation_of_every_file_is_detected(self, data: Path):
        rng = random.Random(2)  # noqa: S311 - seeded test data
        for name, content in files_of(data).items():
            path = data / name
            lengths = {0, 1, len(content) - 1} | {rng.randrange(len(content)) for _ in range(TRUNCATIONS)}
            for length in sorted(lengths):
                path.write_bytes(content[:length])
                assert any(name in problem for problem in verify_dataset(data)), f"{length} bytes of {name}"
            path.write_bytes(content)
        assert verify_dataset(data) == []

    def test_files_that_are_exchanged(self, data: Path):
        store = AtlasStore.open(data)
        one, other = (
            data / store.manifest.tables[f"alpha/{name}"][0].path for name in ("coords", "neighbours")
        )
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        assert len(verify_dataset(data)) == 2

    def test_an_older_manifest_put_back(self, data: Path):
        old = (data / "manifest.json").read_bytes()
        store = AtlasStore.open(data)
        with store.writer("coords", sae="alpha", schema=COORDS) as writer:
            writer.write(coords(0, 24))
        (data / "manifest.json").write_bytes(old)
        problems = verify_dataset(data)
        assert any("missing" in problem for problem in problems)
        assert any("not part of the dataset" in problem for problem in problems)


KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from atlas.schema import COORDS
from atlas.store import AtlasStore
sys.path.insert(0, {root!r})
from tests.unit.test_store import coords

folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
calls = ("open", "write", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "close")

def run(moment):
    count = 0
    def counted(original):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)
        return call
    store = AtlasStore.open(folder)
    table = coords(100, 5000)
    for name in calls:
        setattr(os, name, counted(getattr(os, name)))
    with store.lock(), store.writer("coords", sae="alpha", schema=COORDS) as writer:
        writer.write(table)

for moment in range(first, last):
    child = os.fork()
    if child == 0:
        run(moment)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    store = AtlasStore.open(folder)
    rows = store.read("coords", "alpha")
    found = "old" if rows.equals(coords(0, 50)) else "new" if rows.equals(coords(100, 5000)) else "WRONG"
    with store.lock():
        problems = store.verify()
    sys.stdout.write(f"{{moment}} {{os.WIFSIGNALED(status)}} {{found}} {{len(problems)}}\\n")
    with store.writer("coords", sae="alpha", schema=COORDS) as writer:
        writer.write(coords(0, 50))
    if not os.WIFSIGNALED(status):
        break
"""
"""Writes a table over and over, each time killed one system call later, and says what is left."""


def test_kill_9_at_every_system_call_leaves_the_old_table_or_the_new_one(tmp_path: Path, root: Path):
    store = old_table(tmp_path / "data")
    script = KILLED.format(root=str(root))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(store.path), "1", "200"],
        capture_output=True, text=True, check=False, timeout=300, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    killed = [line for line in lines if line[1] == "True"]
    assert len(killed) >= 20, done.stdout
    assert lines[-1][1:] == ["False", "new", "0"], "the last run was not cut short"
    assert {line[2] for line in killed} == {"old", "new"}
    assert all(line[3] == "0" for line in lines), done.stdout
    states = [line[2] for line in killed]
    assert states == sorted(states, reverse=True), "once the new table is there it stays"


def mounted(folder: Path, options: str) -> bool:
    """Whether a small tmpfs could be mounted on `folder`."""
    folder.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        return False
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "disk"
    if not mounted(folder, "size=512k"):
        pytest.skip("a small file system needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user of this machine can reach (pytest's own are private)."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory(prefix="atlas-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def old_table(folder: Path) -> AtlasStore:
    store = AtlasStore.create(folder)
    store.update(saes=[{"slug": "alpha", "title": "Alpha", "n_features": 200_000}])
    with store.writer("coords", sae="alpha", schema=COORDS) as writer:
        writer.write(coords(0, 50))
    return store


def write_large(store: AtlasStore, features: int = 100_000) -> None:
    with store.writer("coords", sae="alpha", schema=COORDS) as writer:
        writer.write(coords(0, features))


@pytest.mark.root
class TestFullDisk:
    def test_a_full_disk_leaves_the_old_table(self, small_disk: Path):
        store = old_table(small_disk / "data")
        before = files_of(store.path)
        with pytest.raises(
            DiskError, match=r"disk is full: [\d,]+ bytes needed, [\d,]+ bytes free"
        ) as caught:
            write_large(store)
        assert caught.value.exit_code == 4
        assert str(small_disk) in caught.value.where
        assert files_of(store.path) == before
        assert store.verify() == []
        assert AtlasStore.open(store.path).read("coords", "alpha").equals(coords(0, 50))

    def test_after_freeing_space_the_result_is_the_same(self, small_disk: Path, tmp_path: Path):
        store, free = old_table(small_disk / "data"), old_table(tmp_path / "free")
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 40_960))
        with pytest.raises(DiskError):
            write_large(store, 10_000)
        ballast.unlink()
        write_large(store, 10_000)
        write_large(free, 10_000)
        assert files_of(store.path) == files_of(free.path)

    @pytest.mark.parametrize("left", [0, 4096, 8192, 12288, 20480, 40960, 81920])
    def test_wherever_the_space_runs_out(self, small_disk: Path, left: int):
        store = old_table(small_disk / "data")
        free = shutil.disk_usage(small_disk).free
        with (small_disk / "ballast").open("wb") as file:
            file.write(bytes(max(free - left, 0)))
        expected = coords(0, 4000)
        try:
            write_large(store, 4000)
        except DiskError:
            expected = coords(0, 50)
        (small_disk / "ballast").unlink()
        assert store.verify() == []
        assert AtlasStore.open(store.path).read("coords", "alpha").equals(expected)

    def test_no_inodes(self, tmp_path: Path):
        folder = tmp_path / "disk"
        if not mounted(folder, "nr_inodes=12"):
            pytest.skip("a small file system needs root and mount")
        try:
            store = old_table(folder / "data")
            for number in range(20):
                try:
                    (folder / str(number)).touch()
                except OSError:
                    break
            with pytest.raises(DiskError, match="full"):
                write_large(store, 100)
            assert store.verify() == []
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    def test_a_read_only_file_system(self, small_disk: Path):
        store = old_table(small_disk / "data")
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        for call in (
            lambda: write_large(store, 10),
            lambda: store.update(title="x"),
            lambda: store.lock().__enter__(),
        ):
            with pytest.raises(DiskError, match="read-only") as caught:
                call()
            assert str(small_disk) in caught.value.where
        assert store.verify() == []
        assert store.read("coords", "alpha").num_rows == 50

    def test_no_permission(self, public: Path):
        store = old_table(public / "data")
        for folder in (store.path, *store.path.rglob("*")):
            folder.chmod(0o755 if folder.is_dir() else 0o644)
        lines = as_nobody(f"""
            from atlas.store import AtlasStore
            store = AtlasStore.open({str(store.path)!r})
            say(store.read("coords", "alpha").num_rows)
            refused(lambda: store.update(title="x"))
            refused(lambda: store.lock().__enter__())
            refused(lambda: AtlasStore.create({str(store.path / "other")!r}))
        """)
        assert lines[0] == "50"
        assert [line.split(":")[0] for line in lines[1:]] == ["DiskError permission denied"] * 3
        assert all(str(store.path) in line for line in lines[1:])

    def test_a_file_that_may_not_be_read(self, public: Path):
        store = old_table(public / "data")
        (store.path / store.manifest.tables["alpha/coords"][0].path).chmod(0)
        (line,) = as_nobody(f"""
            from atlas.store import AtlasStore
            refused(lambda: AtlasStore.open({str(store.path)!r}).read("coords", "alpha"))
        """)
        assert line.startswith("DiskError permission denied")


def as_nobody(body: str) -> list[str]:
    """Lines that `body` says while it runs without root's rights; `refused` says a call's error."""
    prelude = """
        import os, sys
        from atlas.errors import AtlasError
        import atlas.store
        def say(text):
            sys.stdout.write(f"{text}\\n")
        def refused(call):
            try:
                call()
                say("no error")
            except AtlasError as error:
                say(f"{type(error).__name__} {error.what}: {error.where}")
        os.setgid(65534); os.setuid(65534)
    """
    script = textwrap.dedent(prelude) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class TestLimits:
    """Faults that need no rights: the limits of a process."""

    def limited(self, store: AtlasStore, limit: str) -> str:
        """What a child says that writes a large table under `limit`."""
        script = textwrap.dedent(f"""
            import resource, sys
            from atlas.errors import AtlasError
            from atlas.store import AtlasStore
            from tests.unit.test_store import coords
            from tests.faults.test_store_faults import write_large
            store = AtlasStore.open({str(store.path)!r})
            store.read("coords", "alpha")
            {limit}
            try:
                write_large(store)
            except AtlasError as error:
                sys.stdout.write(f"{{type(error).__name__}} {{error}}")
        """)
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path):
        store = old_table(tmp_path / "data")
        before = files_of(store.path)
        said = self.limited(store, "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))")
        assert said.startswith("DiskError the file-size limit of this process is reached")
        assert str(store.path) in said
        assert files_of(store.path) == before
        assert store.verify() == []

    def test_a_limit_on_open_files(self, tmp_path: Path):
        store = old_table(tmp_path / "data")
        before = files_of(store.path)
        said = self.limited(store, "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))")
        assert said.startswith("DiskError too many open files")
        assert files_of(store.path) == before


def write_and_stop(store: AtlasStore) -> None:
    with store.writer("coords", sae="alpha", schema=COORDS) as writer:
        writer.write(coords(0, 5000))
        signal.raise_signal(signal.SIGALRM)


def test_an_interrupt_is_not_swallowed_and_leaves_the_old_table(tmp_path: Path):
    store = old_table(tmp_path / "data")
    before = files_of(store.path)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_and_stop(store)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert files_of(store.path) == before


def test_every_error_here_is_one_that_a_user_can_fix():
    assert issubclass(DiskError, AtlasError)
    assert DiskError.exit_code == 4
