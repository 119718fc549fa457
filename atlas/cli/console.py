"""What people read: results go to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import TextIO

from atlas.errors import (
    EXIT_BUG,
    EXIT_INTERRUPTED,
    AtlasError,
    CheckError,
    ConfigError,
    DiskError,
    OutOfMemoryError,
    is_out_of_memory,
)

DISK_ERRNOS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Failures of the operating system that are about the disk, its space or our permissions: exit code 4."""

SHOWN_PROBLEMS = 200
"""Problems of a check printed at most; the rest is counted."""


def safe(text: str) -> str:
    r"""`text` for a terminal: line breaks stay, every other unprintable character as its escape (`\x1b`).

    File names and config values may hold escape sequences, direction marks or half characters.
    """
    return "".join(
        character if character == "\n" or character.isprintable() else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def print_result(text: str) -> None:
    """One line (or one finished text) on standard output."""
    sys.stdout.write(safe(text) + "\n")
    sys.stdout.flush()


def say(text: str = "") -> None:
    """A line for people, on standard error; work goes on where nobody reads it any more."""
    try:
        sys.stderr.write(safe(text) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        forget(sys.stderr)


def forget(stream: TextIO) -> None:
    """Whoever read `stream` has gone: what is still to come, or buffered until the end, goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def print_failure(error: Exception, *, debug: bool) -> int:
    """Tell the user what went wrong, where and the way out; returns the exit code.

    Anything that is neither an `AtlasError` nor the operating system's refusal is a bug in atlas.
    """
    if debug:
        say("".join(traceback.format_exception(error)).rstrip())
    known = _as_known(error)
    if known is None:
        _print_bug(error, debug=debug)
        return EXIT_BUG
    if known.exit_code == EXIT_INTERRUPTED:
        say(known.what)
        return known.exit_code
    _print_error(known)
    return known.exit_code


def _as_known(error: Exception) -> AtlasError | None:
    if isinstance(error, AtlasError):
        return error
    if isinstance(error, OSError) and error.errno in DISK_ERRNOS:
        return DiskError(
            error.strerror or str(error),
            where=str(error.filename or ""),
            fix="free some space, or fix the permissions, and run the same command again",
        )
    if is_out_of_memory(error):
        return OutOfMemoryError()
    return None


def _print_error(error: AtlasError) -> None:
    _headline("error", error.what)
    if isinstance(error, ConfigError):
        for problem in error.problems:
            say()
            _print_parts(problem, "  ")
        return
    if isinstance(error, CheckError):
        for problem in error.problems[:SHOWN_PROBLEMS]:
            say(f"  {problem}")
        if len(error.problems) > SHOWN_PROBLEMS:
            say(f"  … and {len(error.problems) - SHOWN_PROBLEMS:,} more")
    _print_parts(error, "  ", with_what=False)


def _print_parts(error: AtlasError, indent: str, *, with_what: bool = True) -> None:
    if with_what:
        say(_indented(error.what, indent))
        indent += "  "
    if error.where:
        say(_indented(f"where: {error.where}", indent))
    if error.fix:
        say(_indented(f"fix:   {error.fix}", indent))


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.split("\n"))


def _headline(word: str, text: str) -> None:
    if not sys.stderr.isatty():
        say(f"{word}: {text}")
        return
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble((f"{word}: ", "bold red"), (safe(text), "bold"))
    Console(stderr=True).print(line, soft_wrap=True)


def _print_bug(error: Exception, *, debug: bool) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    here = Path(__file__).parents[1]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(here)]
    frame = (ours or list(frames) or [None])[-1]
    text = "".join(traceback.format_exception_only(error)).strip()
    _headline("bug in atlas", text)
    if frame is not None:
        file = Path(frame.filename)
        name = file.relative_to(here.parent) if file.is_relative_to(here.parent) else file.name
        say(f"  where: {name}, line {frame.lineno}, in {frame.name}")
    from importlib.metadata import version

    say(f"  with:  atlas {version('feature-atlas')}, Python {platform.python_version()}, {platform.system()}")
    trace = "the traceback above" if debug else "the traceback that --debug shows"
    say(f"  fix:   this is not your fault; please report it with these lines and {trace}")
