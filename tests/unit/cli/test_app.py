"""The command line as a whole: help, versions, exit codes, and every way a command can end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from atlas import errors
from atlas.cli import app as cli_app
from atlas.cli import main
from tests.support.tiny_site import make_site

COMMANDS = ("init", "build", "render", "serve", "check", "schema")
HEAVY = (
    "torch",
    "transformers",
    "sae_lens",
    "transformer_lens",
    "datasets",
    "umap",
    "pyarrow",
    "numpy",
    "jinja2",
)


PATIENCE = 300
"""Seconds after which a command counts as hung."""


def run(*words: str, cwd=None, **more):
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "atlas", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_help_lists_every_command_and_an_example(capsys, words):
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for command in COMMANDS:
        assert re.search(rf"^\W*{command}\s", out, re.MULTILINE), command
    assert "Example:" in out
    assert "Exit codes: 0 fine" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_that_parses(capsys, command):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    example = re.search(r"Example:\s+atlas (\S+)", out)
    assert example is not None
    assert example.group(1) == command


def test_the_version_is_the_distributions(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"atlas {version('feature-atlas')}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["biuld"], "build"),
        (["build", "--dryrun"], "--dry-run"),
        (["serve", "--port", "many"], "--port"),
        (["init", "a", "b"], "b"),
    ],
)
def test_a_typing_error_is_exit_2_with_a_hint(capsys, words, hint):
    assert main(words) == errors.EXIT_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert "Traceback" not in err


ENDINGS = [
    (errors.InputError("bad"), 2),
    (errors.ConfigError("c.yaml", [errors.InputError("bad")]), 2),
    (errors.LockedError("held"), 3),
    (errors.DiskError("full"), 4),
    (PermissionError(13, "Permission denied", "x"), 4),
    (errors.CheckError("wrong", ["a"]), 5),
    (errors.InterruptedBuildError("stopped"), 130),
    (KeyboardInterrupt(), 130),
    (ZeroDivisionError("oops"), 1),
    (BrokenPipeError(), 0),
    (SystemExit(3), 3),
]


@pytest.mark.parametrize(("ending", "code"), ENDINGS, ids=lambda value: getattr(type(value), "__name__", ""))
def test_every_ending_is_an_exit_code_without_a_traceback(monkeypatch, capsys, ending, code):
    def fail(_):
        raise ending

    monkeypatch.setattr("atlas.cli.folders.find_config", fail)
    monkeypatch.setattr(cli_app, "forget", lambda stream: None)
    assert main(["build"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words", [["--debug", "build"], ["build", "--debug"], ["build", "x.yaml", "--debug"]]
)
def test_debug_works_anywhere(monkeypatch, capsys, words):
    def fail(_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("atlas.cli.folders.find_config", fail)
    assert main(words) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "bug in atlas: ZeroDivisionError: oops" in err


def test_debug_after_two_dashes_is_a_name(capsys):
    assert main(["build", "--", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "there is no config file '--debug'" in err
    assert "Traceback" not in err


def test_sigterm_is_handled_only_while_a_command_runs(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from atlas.cli import main; code = main(['--help']);"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_no_worker(command):
    code = (
        f"import sys; from atlas.cli import main; main([{command!r}, '--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_the_module_is_the_command():
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("atlas ")
    assert run("nonsense").returncode == 2


def test_a_reader_that_leaves_early_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "atlas", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 0
    assert err == b""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_a_command_is_exit_130(tmp_path, how):
    script = (
        "import sys, time\n"
        "import atlas.cli.folders as folders\n"
        "def wait(_):\n    print('waiting', flush=True)\n    time.sleep(600)\n"
        "folders.find_config = wait\n"
        "from atlas.cli import main\nsys.exit(main(['build']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(how)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_interrupting_while_the_command_line_loads_is_exit_130():
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from atlas.cli import main\nsys.exit(main(['build']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_serving_prints_the_address_answers_and_stops(tmp_path):
    site = make_site(tmp_path / "site")
    with subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", str(site), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        with urllib.request.urlopen(url + "alpha/0/3.html") as answer:  # noqa: S310  our own address
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answer.read() == (site / "alpha/0/3.html").read_bytes()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "stopped"


def test_serving_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.html").write_text("private")
    assert main(["serve", str(tmp_path)]) == 2
    assert "is not a site that atlas wrote" in capsys.readouterr().err
    assert main(["serve", str(tmp_path / "nothing")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_odd_names_do_not_crash_an_ascii_terminal(tmp_path):
    name = os.fsdecode(b"\xff\xe9\x1b[31m") + "\u202e.yaml"
    done = run("build", name, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 2
    assert "there is no config file" in done.stderr
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


def test_no_command_writes_where_it_stands(tmp_path):
    before = sorted(Path(tmp_path).rglob("*"))
    for words in (["build"], ["build", "--dry-run"], ["render"], ["check"], ["serve"], ["schema"]):
        assert run(*words, cwd=tmp_path).returncode in {0, 2}
    assert sorted(Path(tmp_path).rglob("*")) == before
