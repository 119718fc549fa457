"""`atlas init`, `build`, `check` and `render` with the bundled model, as a newcomer runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.support import requirements

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    if not (requirements.ROOT / "themes/default/dist/site.js").is_file():
        requirements.missing("no built front end", fix="run `make`")
    folder = tmp_path_factory.mktemp("newcomer")
    assert atlas(folder, "init").returncode == 0
    config = folder / "site_config.yaml"
    # A thirtieth of the tokens: enough for every table, done in seconds.
    text = config.read_text().replace("tokens: 1000000", "tokens: 32768")
    config.write_text(text.replace("device: auto", "device: cpu"))
    return folder


@pytest.fixture(scope="module")
def dry_run(project):
    done = atlas(project, "build", "--dry-run")
    # Noted here: whichever test asks first, the folder fills up afterwards.
    done.left = sorted(path.name for path in project.iterdir())
    return done


@pytest.fixture(scope="module")
def built(project, dry_run):
    return atlas(project, "build")


def atlas(folder, *words: str):
    return subprocess.run(
        [sys.executable, "-m", "atlas", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "", "COLUMNS": "100"},
    )


def test_the_dry_run_writes_nothing(dry_run):
    assert dry_run.returncode == 0, dry_run.stderr
    assert dry_run.left == ["demo", "site_config.yaml"]


def test_the_starter_config_builds_and_checks(project, built):
    assert built.returncode == 0, built.stderr
    assert built.stdout == "build/data\nbuild/site/index.html\n"
    checked = atlas(project, "check")
    assert (checked.returncode, checked.stdout) == (0, "ok build/data\nok build/site\n")


def test_standard_error_holds_only_our_own_words(built):
    """No library talks over the progress: every line is a stage, an amount or an outcome."""
    known = re.compile(r"\S.* …|  .*|\S.*: nothing changed|open that page .*|note: .*")
    assert [line for line in built.stderr.splitlines() if not known.fullmatch(line)] == []
    assert "\x1b" not in built.stderr


def test_the_dry_run_was_right(project, dry_run, built):
    """Within a fifth of the sizes (the test matrix's figure), pages exactly."""
    figures = re.search(r"about ([\d.]+) MB, ([\d,]+) pages, ([\d,]+) files", dry_run.stdout)
    said = [float(figure.replace(",", "")) for figure in figures.groups()]
    site = [path for path in (project / "build/site").rglob("*") if path.is_file()]
    data = [path for path in (project / "build/data").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in site) / 1e6
    assert said[0] == pytest.approx(size, rel=0.2)
    assert said[1] == len([path for path in site if path.suffix == ".html"])
    assert said[2] == pytest.approx(len(site), rel=0.2)
    dataset = re.search(r"dataset +about ([\d.]+) MB", dry_run.stdout)
    assert float(dataset.group(1)) == pytest.approx(sum(p.stat().st_size for p in data) / 1e6, rel=0.3)
    assert re.search(r"features +2,048", dry_run.stdout)
    assert "no limit of the usual static hosts is exceeded" in dry_run.stdout


def test_a_second_build_does_nothing_and_a_new_title_only_renders(project, built):
    again = atlas(project, "build")
    assert again.returncode == 0
    assert again.stderr.count("nothing changed") == 6
    config = project / "site_config.yaml"
    config.write_text(config.read_text().replace("My feature atlas", "Renamed"))
    renamed = atlas(project, "build")
    assert renamed.returncode == 0
    assert renamed.stderr.count("nothing changed") == 4
    assert "Renamed" in (project / "build/site/index.html").read_text()


def test_rendering_works_where_no_machine_learning_library_is(project, built):
    blocked = (
        "torch",
        "transformers",
        "sae_lens",
        "transformer_lens",
        "datasets",
        "umap",
        "tokenizers",
        "safetensors",
    )
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from atlas.cli import main\n"
        "sys.exit(main(['render', '--site', 'elsewhere']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "elsewhere/index.html\n"), done.stderr
