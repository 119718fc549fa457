"""Every error a user can fix: what happened, where, and the way out.

The command line prints the three parts and exits with `exit_code`; any exception that is not an
`AtlasError` is a bug in atlas (exit code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

EXIT_OK = 0
EXIT_BUG = 1
EXIT_INPUT = 2
EXIT_LOCKED = 3
EXIT_DISK = 4
EXIT_CHECK = 5
EXIT_INTERRUPTED = 130


class AtlasError(Exception):
    """Base of all errors a user can fix.

    `what` holds the value as typed, `where` the file and key (or shard and column), `fix` the
    nearest valid value or the next step. Either of the last two may be empty.
    """

    exit_code = EXIT_BUG

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"  where: {self.where}")
        if self.fix:
            parts.append(f"  fix:   {self.fix}")
        return "\n".join(parts)


class InputError(AtlasError):
    """Bad input: a file, a model, an SAE or a corpus that cannot be used as given (exit 2)."""

    exit_code = EXIT_INPUT


class ConfigError(InputError):
    """All problems of one configuration file at once (exit 2).

    `problems` are complete errors themselves, in the order of the file.
    """

    def __init__(self, path: str, problems: Sequence[InputError]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"{len(problems)} {noun} in {path}")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.what, *(str(problem) for problem in self.problems)])


class OutOfMemoryError(InputError):
    """The model, the SAE or the batch does not fit into memory (exit 2)."""

    def __init__(self, what: str = "not enough memory") -> None:
        super().__init__(
            what, fix="lower pass.batch_contexts (or corpus.context_size), or use a smaller SAE or dtype"
        )


class LockedError(AtlasError):
    """Another build holds the folder (exit 3)."""

    exit_code = EXIT_LOCKED


class DiskError(AtlasError):
    """The disk is full, read-only, or permission is missing (exit 4)."""

    exit_code = EXIT_DISK


class CheckError(AtlasError):
    """`atlas check` found problems (exit 5); `problems` has one line each."""

    exit_code = EXIT_CHECK

    def __init__(self, what: str, problems: Sequence[str], *, where: str = "") -> None:
        super().__init__(what, where=where)
        self.problems = tuple(problems)


class InterruptedBuildError(AtlasError):
    """The user stopped the build; what was finished is kept (exit 130)."""

    exit_code = EXIT_INTERRUPTED


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is Python's, Arrow's or torch's word for a lack of memory, on any device."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(words in str(error) for words in ("can't allocate memory", "bad_alloc"))
    )


def nearest(value: str, valid: Iterable[str], count: int = 5) -> list[str]:
    """The at most `count` valid values most like `value`, best first; `[]` if none is close."""
    return difflib.get_close_matches(value, list(valid), n=count, cutoff=0.4)


def suggest(value: str, valid: Iterable[str], count: int = 5) -> str:
    """A sentence naming the valid values nearest to `value` (or the first ones if none is close)."""
    options = sorted(valid)
    close = nearest(value, options, count)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    shown = ", ".join(repr(name) for name in options[:count])
    more = f" (and {len(options) - count} more)" if len(options) > count else ""
    return f"valid values: {shown}{more}" if options else "there is no valid value"
