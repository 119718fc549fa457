"""What a user reads when something fails: what, where, the way out, and an exit code."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.cli.console import DISK_ERRNOS, SHOWN_PROBLEMS, print_failure, print_result, safe, say
from atlas.errors import (
    CheckError,
    ConfigError,
    DiskError,
    InputError,
    InterruptedBuildError,
    LockedError,
)


def shown(capsys, error, debug=False):
    code = print_failure(error, debug=debug)
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@given(st.text())
def test_nothing_unprintable_reaches_a_terminal(text):
    line = safe(text)
    assert all(character == "\n" or character.isprintable() for character in line)
    line.encode("utf-8")
    if all(character == "\n" or character.isprintable() for character in text):
        assert line == text


def test_escape_sequences_and_direction_marks_are_spelled_out(capsys):
    say("a\x1b[2Jb\u202ec\udc80")
    assert capsys.readouterr().err == "a\\x1b[2Jb\\u202ec\\udc80\n"
    print_result("data/\x07")
    assert capsys.readouterr().out == "data/\\x07\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (ConfigError("c.yaml", [InputError("x")]), 2),
        (LockedError("x"), 3),
        (DiskError("x"), 4),
        (CheckError("x", ["y"]), 5),
        (InterruptedBuildError("x"), 130),
        (ValueError("x"), 1),
        (MemoryError(), 2),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(capsys, error, code):
    assert shown(capsys, error)[0] == code


@pytest.mark.parametrize("number", sorted(DISK_ERRNOS))
def test_refusals_of_the_system_are_disk_errors(capsys, number):
    code, text = shown(capsys, OSError(number, os.strerror(number), "/data/x"))
    assert code == 4
    assert os.strerror(number) in text
    assert "/data/x" in text


def test_other_system_errors_are_bugs(capsys):
    assert shown(capsys, OSError(errno.ENOENT, "No such file", "x"))[0] == 1
    assert shown(capsys, OSError("odd"))[0] == 1


def test_an_error_says_what_where_and_the_way_out(capsys):
    error = InputError("'gpt3' is no model", where="c.yaml:3, model.name", fix="did you mean 'gpt2'?")
    _, text = shown(capsys, error)
    assert text == (
        "error: 'gpt3' is no model\n  where: c.yaml:3, model.name\n  fix:   did you mean 'gpt2'?\n"
    )


def test_all_problems_of_a_config_are_shown(capsys):
    problems = [InputError(f"problem {i}", where=f"c.yaml:{i}", fix=f"fix {i}") for i in range(3)]
    _, text = shown(capsys, ConfigError("c.yaml", problems))
    assert text.startswith("error: 3 problems in c.yaml\n")
    for number in range(3):
        assert f"  problem {number}\n    where: c.yaml:{number}\n    fix:   fix {number}\n" in text


def test_a_long_list_of_problems_is_cut_and_counted(capsys):
    _, text = shown(capsys, CheckError("much", [f"line {i}" for i in range(SHOWN_PROBLEMS + 1234)]))
    assert text.count("  line ") == SHOWN_PROBLEMS
    assert "and 1,234 more" in text


def raise_bug():
    raise KeyError("some internal key")


def bug():
    try:
        raise_bug()
    except KeyError as error:
        return error


def test_a_bug_is_owned_up_to_without_a_traceback(capsys):
    code, text = shown(capsys, bug())
    assert code == 1
    assert "Traceback" not in text
    assert "bug in atlas: KeyError: 'some internal key'" in text
    assert "in raise_bug" in text
    assert "report" in text
    assert "atlas 0." in text
    assert "Python 3." in text


def test_debug_shows_the_traceback_too(capsys):
    _, text = shown(capsys, bug(), debug=True)
    assert text.startswith("Traceback")
    assert "raise_bug()" in text


def test_nobody_reading_does_not_stop_the_work(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        for _ in range(3):
            say("a line")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("std::bad_alloc"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
    ],
    ids=str,
)
def test_a_lack_of_memory_has_a_way_out(capsys, error):
    code, text = shown(capsys, error)
    assert code == 2
    assert text.startswith("error: not enough memory\n")
    assert "pass.batch_contexts" in text


def test_an_interruption_is_one_word(capsys):
    assert shown(capsys, InterruptedBuildError("interrupted")) == (130, "interrupted\n")


def test_a_multi_line_cause_stays_in_its_place(capsys):
    _, text = shown(capsys, InputError("first", where="a\nb", fix="c"))
    assert text == "error: first\n  where: a\n  b\n  fix:   c\n"
