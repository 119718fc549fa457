"""The command `atlas`: global options, commands, and how every way to end becomes an exit code."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from atlas.cli import build, check, export, init, render, schema, serve
from atlas.cli.console import forget, print_failure, print_result
from atlas.errors import EXIT_INTERRUPTED, EXIT_OK, InterruptedBuildError

DISTRIBUTION = "feature-atlas"
"""Name of the installed distribution, whose version `--version` tells."""

EPILOG = (
    "Exit codes: 0 fine, 1 a bug in atlas, 2 bad input, 3 another build is running, 4 disk or permission, "
    "5 check found problems, 130 interrupted."
)


class _Group(TyperGroup):
    """Turns Ctrl-C and a closed pipe into our own endings before the library gets to see them."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise InterruptedBuildError("interrupted") from error
        except BrokenPipeError:
            forget(sys.stdout)
            raise SystemExit(EXIT_OK) from None


app = typer.Typer(
    name="atlas",
    cls=_Group,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


@app.callback(invoke_without_command=True)
def atlas(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails (allowed anywhere).")
    ] = False,
) -> None:
    """Turn a language model and a sparse autoencoder into a static site of feature dashboards.

    Example:  atlas init my-atlas && atlas build my-atlas
    """
    del debug  # taken out of the arguments by `run`, declared here so that it is listed
    if version:
        from importlib.metadata import version as version_of

        print_result(f"atlas {version_of(DISTRIBUTION)}")
    elif context.invoked_subcommand is None:
        print_result(context.get_help())


for _module in (init, build, render, serve, check, schema):
    app.command()(getattr(_module, _module.__name__.rpartition(".")[2]))
app.add_typer(export.app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; never raises and never shows a traceback unasked."""
    words, debug = _take_debug(list(sys.argv[1:] if arguments is None else arguments))
    for stream in (sys.stdout, sys.stderr):
        # A path that is not valid in the terminal's encoding must not turn into a crash.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        with _terminated_like_interrupted():
            app(args=words, prog_name="atlas")
        code = EXIT_OK
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else EXIT_OK
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  the outermost frame: everything must become an exit code
        code = print_failure(error, debug=debug)
    return _flush(code)


def _take_debug(words: list[str]) -> tuple[list[str], bool]:
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM stops a command as cleanly as Ctrl-C (signals can be caught in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _flush(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        forget(sys.stdout)
    return code
