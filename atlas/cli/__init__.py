"""The command line: parse, call, print. Every command is one file; its workers are imported inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.errors import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments` (default: the process's own) and return its exit code."""
    try:
        from atlas.cli.app import run

        return run(arguments)
    except KeyboardInterrupt:
        # Ctrl-C while the command line itself was still being imported.
        return EXIT_INTERRUPTED
