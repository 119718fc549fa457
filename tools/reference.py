"""The reference pages of the user guide, written from the code itself (a mkdocs hook).

Nothing here is committed as text: a new statistic, option, command or error is in the guide because it is
in the code. `PAGES` maps each page to the function that writes it.
"""

from __future__ import annotations

import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from atlas import errors, plugins, schema
from atlas.config import SiteConfig
from atlas.schema import browser, counted, derived

if TYPE_CHECKING:
    import click
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from pydantic.fields import FieldInfo

NOTE = "*This page is written from the code when the guide is built.*"


def cell(text: object) -> str:
    """`text` as one table cell."""
    flat = " ".join(str(text).split()).replace("|", "\\|")
    parts = flat.split("`")
    # Markdown shows what stands in backticks as it is, entities included.
    return "`".join(part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def paragraphs(thing: object) -> str:
    """The docstring of `thing`, unindented; angle brackets made harmless."""
    return inspect.cleandoc(thing.__doc__ or "").replace("<", "&lt;")


def first_paragraph(thing: object) -> str:
    """The first paragraph of the docstring of `thing`, on one line."""
    return " ".join(paragraphs(thing).split("\n\n")[0].split())


def page(title: str, introduction: str, *sections: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", introduction, *sections, NOTE]) + "\n"


# --- options ------------------------------------------------------------------------------------------


def type_name(annotation: Any) -> str:
    """`annotation` in words: `one of a, b`, `list of text`, `whole number`."""
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in words:
        return words[annotation]
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(type_name(part) for part in arguments if part is not type(None))
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    return "section"


def kind_of(field: FieldInfo) -> str:
    """Type and limits of a field in words, e.g. `whole number (at least 1)`."""
    return type_name(field.annotation) + _limits(field)


def _limits(field: FieldInfo) -> str:
    found = {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(constraint, name)
    }
    low = f"at least {found['ge']}" if "ge" in found else f"above {found['gt']}" if "gt" in found else ""
    high = f"at most {found['le']}" if "le" in found else f"below {found['lt']}" if "lt" in found else ""
    return f" ({', '.join(part for part in (low, high) if part)})" if low or high else ""


def default_of(field: FieldInfo) -> str:
    """The default of a field as one would type it; `required` when there is none."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see its section"
    words = {None: "none", True: "`true`", False: "`false`", "": "empty"}
    if value is None or isinstance(value, bool) or value == "":
        return words[value]
    return "empty list" if value == [] else f"`{value}`"


def sections_of(model: type[BaseModel], key: str = "") -> dict[str, type[BaseModel]]:
    """Every section of a config by its dotted key, `model` itself under `key`, outermost first."""
    found = {key: model}
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            found |= sections_of(inner, f"{key}.{field.alias or name}".lstrip("."))
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def config_page() -> str:
    """Every option of `site_config.yaml`."""
    sections: list[str] = []
    for key, model in sections_of(SiteConfig).items():
        rows = [
            (f"`{field.alias or name}`", kind_of(field), default_of(field), field.description)
            for name, field in model.model_fields.items()
        ]
        sections += [f"## {f'`{key}`' if key else 'Top level'}", paragraphs(model)]
        sections.append(table(("option", "type", "default", "meaning"), rows))
    introduction = (
        "The file `site_config.yaml`, section by section. Unknown keys are errors that name the nearest one. "
        "`atlas schema --out site_config.schema.json` writes the JSON Schema for your editor. "
        "A commented example is `site_config.yaml` in the repository; `atlas init` writes a smaller one. "
        "Paths are relative to the file."
    )
    return page("All options", introduction, *sections)


# --- commands -----------------------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Every command by its full name (`atlas`, `atlas build`, `atlas export onnx`, …)."""
    import typer

    from atlas.cli.app import app

    top: Any = typer.main.get_command(app)
    return {"atlas": top} | dict(_commands_of("atlas", top))


def _commands_of(name: str, group: Any) -> Iterator[tuple[str, click.Command]]:
    """(full name, command) of every command in `group`, groups within it included."""
    for word, command in sorted(group.commands.items()):
        yield f"{name} {word}", command
        if hasattr(command, "commands"):
            yield from _commands_of(f"{name} {word}", command)


def commands_page() -> str:
    """Every command with its arguments and options."""
    sections: list[str] = []
    for name, command in commands().items():
        rows = [(_spelling(parameter), getattr(parameter, "help", "") or "") for parameter in command.params]
        text = inspect.cleandoc(command.help or "").replace("<", "&lt;")
        sections += [f"## {name}", text]
        sections += [table(("argument or option", "meaning"), rows)] if rows else []
    introduction = "`python -m atlas` is the same program. Every command has `--help`."
    return page("Commands", introduction, *sections)


def _spelling(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.name or '').upper()}`"
    return ", ".join(f"`{spelling}`" for spelling in (*parameter.opts, *parameter.secondary_opts))


# --- tables -------------------------------------------------------------------------------------------


def columns_table(fields: Iterable[Any]) -> str:
    """The columns of a table: name, type, unit, kind, meaning."""
    infos = [(schema.column_info(field), str(field.type).replace("item: ", "")) for field in fields]
    rows = [(f"`{info.name}`", f"`{dtype}`", info.unit, info.kind, info.doc) for info, dtype in infos]
    return table(("column", "type", "unit", "kind", "meaning"), rows)


def tables_page() -> str:
    """Every table of the dataset."""
    described = _described_tables()
    sections: list[str] = []
    for heading, tables in (
        ("Tables of each SAE", schema.SAE_TABLES),
        ("Shared tables", schema.SHARED_TABLES),
    ):
        sections.append(f"## {heading}")
        for name, fields in tables.items():
            sections += [f"### {name}", described.get(name, ""), columns_table(fields)]
    sections += ["## Units", table(("unit", "meaning"), schema.UNITS.items())]
    sections += ["## Kinds", "The kind of a column decides how a page draws it."]
    sections += [table(("kind", "what the column holds"), schema.KINDS.items())]
    introduction = (
        "The dataset in `build/data`: parquet files and `manifest.json`, which lists every file with its "
        f"SHA-256 and feature range. Schema version {schema.SCHEMA_VERSION}. Meaning, unit and kind travel "
        "with each column as metadata of the file (`atlas.doc`, `atlas.unit`, `atlas.kind`, `atlas.label`). "
        "The `features` table also has the columns of every [statistic](statistics.md)."
    )
    return page("Tables of the dataset", introduction, *sections)


def _described_tables() -> dict[str, str]:
    """The string that follows each table's definition in `atlas/schema/`, by table name."""
    import ast

    found: dict[str, str] = {}
    for module in (counted, derived, browser):
        for before, after in itertools.pairwise(ast.parse(inspect.getsource(module)).body):
            named = isinstance(before, ast.Assign) and isinstance(before.targets[0], ast.Name)
            if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[typing.cast("Any", before).targets[0].id.lower()] = str(after.value.value)
    return found


def statistics_page() -> str:
    """Every statistic with its columns."""
    sections: list[str] = []
    for name in plugins.available("atlas.statistics"):
        statistic = plugins.load("atlas.statistics", name)
        sections += [f"## {name}", paragraphs(statistic)]
        sections += [columns_table(statistic.columns)] if statistic.columns else []
    introduction = (
        "What the pass computes per feature. All of them count the same tokens: those that the mask leaves "
        "(`pass.mask`). Each is a file in `atlas/stats/`; [your own](../extend.md) appears here, in the "
        "numbers of every feature page, and as a sort key and filter of the feature table."
    )
    return page("Statistics", introduction, *sections)


# --- extensions and errors ----------------------------------------------------------------------------


def extensions_page() -> str:
    """Every extension point with what is installed."""
    sections: list[str] = []
    for group, meaning in plugins.GROUPS.items():
        rows = [(f"`{name}`", _summary(group, name)) for name in plugins.available(group)]
        sections += [
            f"## {group}",
            meaning[0].upper() + meaning[1:] + ".",
            table(("name", "what it is"), rows),
        ]
    introduction = (
        "Everything that can be added from outside is found as a Python entry point, the built-ins too. "
        "[Extending](../extend.md) shows how."
    )
    return page("Extension points", introduction, *sections)


def _summary(group: str, name: str) -> str:
    thing = plugins.load(group, name)
    if group != "atlas.enrichers":
        return first_paragraph(thing)
    reads = ", ".join(f"`{table_name}`" for table_name in thing.reads) or "only the weights"
    writes = ", ".join(f"`{table_name}`" for table_name in thing.writes)
    return f"{thing.notes} Reads {reads}; writes {writes}."


def error_kinds() -> list[type[errors.AtlasError]]:
    """Every kind of error a user can meet, by exit code."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    return sorted(kinds, key=lambda kind: (kind.exit_code, kind.__name__))


def errors_page() -> str:
    """Every exit code and every kind of error."""
    codes = [
        (errors.EXIT_OK, "fine"),
        (errors.EXIT_BUG, "a bug in atlas; please report it with the lines `--debug` prints"),
        (errors.EXIT_INPUT, "bad input: the config, a model, an SAE or a corpus"),
        (errors.EXIT_LOCKED, "another build is writing to the same folder"),
        (errors.EXIT_DISK, "the disk is full or read-only, or permission is missing"),
        (errors.EXIT_CHECK, "`atlas check` found problems"),
        (errors.EXIT_INTERRUPTED, "interrupted (Ctrl-C)"),
    ]
    kinds = [(f"`{kind.__name__}`", kind.exit_code, first_paragraph(kind)) for kind in error_kinds()]
    introduction = (
        "An error says what happened (with the value as you typed it), where, and the way out. A traceback "
        "appears only with `--debug`."
    )
    return page(
        "Errors and exit codes",
        introduction,
        "## Exit codes",
        table(("code", "meaning"), codes),
        "## Kinds of errors in Python",
        table(("class in `atlas.errors`", "exit code", "meaning"), kinds),
    )


PAGES: dict[str, Callable[[], str]] = {
    "reference/config.md": config_page,
    "reference/commands.md": commands_page,
    "reference/statistics.md": statistics_page,
    "reference/tables.md": tables_page,
    "reference/extensions.md": extensions_page,
    "reference/errors.md": errors_page,
}
"""Path within the guide → the function that writes the page."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page of `PAGES` to the guide (called by mkdocs)."""
    from mkdocs.structure.files import File

    for path, write in PAGES.items():
        files.append(File.generated(config, path, content=write()))
    return files
