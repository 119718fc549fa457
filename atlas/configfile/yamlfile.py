"""YAML that strangers may have written, as plain values with their lines; nothing of it is executed.

Only mappings with text keys, lists and scalars are read. Size, depth and the number of values (also
those that aliases repeat) are limited, so that no small file becomes a large one.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from atlas.errors import ConfigError, InputError

MAX_BYTES = 1_000_000
"""Largest file read."""
MAX_VALUES = 20_000
"""Most values in one file, those that aliases repeat counted each time."""
MAX_DEPTH = 40
"""Deepest nesting."""
MAX_ALIASES = 200
"""Most aliases (`*name`) in one file."""

Place = tuple[str | int, ...]
"""Keys and list positions from the top to a value."""

_PARSER_BUGS = (RecursionError, ValueError, AssertionError, LookupError, AttributeError, TypeError)
"""What the parser raises on some malformed files instead of its own errors."""

_TAG = "tag:yaml.org,2002:"
_INTEGER_BASES = {"0x": 16, "0o": 8, "0b": 2}


@dataclass(frozen=True)
class YamlFile:
    """One YAML mapping with the places of its values."""

    name: str
    """The file's path as given, for messages."""
    data: dict[str, Any]
    """The values: dict, list, str, int, float, bool, None."""
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    """Line, from 1, of every key and list entry; () is the first line of the mapping."""
    typed: dict[Place, str] = field(default_factory=dict[Place, str])
    """Every scalar as it was typed, without quotes."""
    problems: list[InputError] = field(default_factory=list[InputError])
    """What had to be left out: duplicate keys, foreign tags, numbers out of range."""

    def where(self, place: Place) -> str:
        """`file:line, key` of a place; of its nearest parent where the place itself does not exist."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.name}:{self.lines.get(known, 1)}" + (f", {dotted(place)}" if place else "")

    def line(self, place: Place) -> int:
        """Line of a place, or of its nearest parent."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def dotted(place: Place) -> str:
    """`saes.0.slug`; unprintable characters are escaped."""
    return printable(".".join(str(part) for part in place))


def printable(text: str, limit: int = 120) -> str:
    """`text` on one line, without characters that could steer a terminal, at most `limit` long."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)


def read_yaml(path: Path) -> YamlFile:
    """The mapping in the file `path`, with the problems of single values collected in `problems`.

    `InputError` when the file is missing or unreadable; `ConfigError` with one problem when it is
    larger than `MAX_BYTES`, not UTF-8, not YAML, too deep, too large when its aliases are followed,
    or not a mapping.
    """
    name = str(path)
    text = _read_text(path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)
            node = _compose(text, name)
    except MarkedYAMLError as error:
        raise _alone(name, _syntax_problem(error, text, name)) from error
    except YAMLError as error:
        raise _alone(name, InputError(f"not YAML: {_first_line(error)}", where=name)) from error
    except _PARSER_BUGS as error:
        raise _alone(name, InputError("this file cannot be read as YAML", where=name)) from error
    if not isinstance(node, MappingNode):
        found = "the file is empty" if node is None else "the file holds no keys"
        raise _alone(name, InputError(found, where=name, fix="begin with lines such as `title: My atlas`"))
    reader = _Values(YamlFile(name, {}))
    reader.file.data.update(reader.mapping(node, ()))
    if reader.budget < 0:
        message = f"aliases repeat more than {MAX_VALUES:,} values"
        raise _alone(name, InputError(message, where=name, fix="write the values out"))
    return reader.file


def _alone(name: str, problem: InputError) -> ConfigError:
    return ConfigError(name, [problem])


def _read_text(path: Path, name: str) -> str:
    """The file as text, or the error that tells why not."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            "the file does not exist", where=name, fix="check the path, or write one with `atlas init`"
        ) from error
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}", where=name) from error
    except ValueError as error:
        raise InputError(f"{printable(name)!r} is not a path", fix="check the path") from error
    if len(data) > MAX_BYTES:
        raise _alone(name, InputError(f"the file is larger than {MAX_BYTES:,} bytes", where=name))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _alone(
            name,
            InputError(
                f"byte 0x{data[error.start]:02X} is not UTF-8 text",
                where=f"{name}:{line}",
                fix="save it as UTF-8",
            ),
        ) from error


def _compose(text: str, name: str) -> Node | None:
    """The node graph of `text`, after its size was checked event by event."""
    depth = values = aliases = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        values += isinstance(event, NodeEvent)
        aliases += isinstance(event, AliasEvent)
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH or values > MAX_VALUES or aliases > MAX_ALIASES:
            limit = (
                f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH
                else f"more than {MAX_VALUES:,} values" if values > MAX_VALUES
                else f"more than {MAX_ALIASES} aliases"
            )  # fmt: skip
            where = f"{name}:{event.start_mark.line + 1}"
            raise _alone(
                name, InputError(f"the file is too large to be a configuration: {limit}", where=where)
            )
    return YAML(typ="safe", pure=True).compose(text)


def _syntax_problem(error: MarkedYAMLError, text: str, name: str) -> InputError:
    """A syntax error with its line, and the usual remedy."""
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark is not None else 0
    what = printable(str(error.problem or error.context or "syntax error"))
    source = text.splitlines()[line] if line < len(text.splitlines()) else ""
    fix = ""
    if "\\t" in what or source[: len(source) - len(source.lstrip())].count("\t"):
        what, fix = "a tab stands where YAML wants spaces", "indent with spaces"
    elif "mapping values" in what:
        fix = "put quotes around a text with a colon in it, or check the indentation"
    elif "another document" in what:
        fix = "keep one document; remove the line ---"
    elif "cannot start any token" in what:
        fix = "put quotes around the text"
    return InputError(f"not YAML: {what}", where=f"{name}:{line + 1}", fix=fix)


def _first_line(error: Exception) -> str:
    return printable(str(error).splitlines()[0] if str(error) else type(error).__name__)


class _UnusableError(Exception):
    """A value that became a problem."""


class _Values:
    """Turns nodes into plain values, noting lines, text as typed, and problems."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.budget = MAX_VALUES
        self._open: list[Node] = []

    def mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        """The mapping at `place`; merge keys (`<<`) give way to keys of its own."""
        self.file.lines.setdefault(place, node.start_mark.line + 1)
        values: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                values = {**self._merged(value_node, place), **values}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{_TAG}merge":
                continue
            if not isinstance(key_node, ScalarNode):
                self._problem("a key must be a single word", place, line)
                continue
            key = str(key_node.value)
            if key in first_lines:
                self._problem(
                    f"the key {printable(key)!r} occurs twice (first in line {first_lines[key]})",
                    place, line, fix="keep one of them",
                )  # fmt: skip
                continue
            first_lines[key] = line
            self.file.lines[(*place, key)] = line
            try:
                values[key] = self._value(value_node, (*place, key))
            except _UnusableError:
                continue
        return values

    def _merged(self, node: Node, place: Place) -> dict[str, Any]:
        """What `<<:` brings in: one mapping or a list of them, the first winning."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        found: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                self._problem("`<<` takes a mapping", place, node.start_mark.line + 1)
                continue
            try:
                value = self._value(source, place)
            except _UnusableError:
                continue
            found = {**value, **found}
        return found

    def _value(self, node: Node, place: Place) -> Any:
        """The value of `node`; `_UnusableError` after noting a problem."""
        self.budget -= 1
        if self.budget < 0 or len(place) > MAX_DEPTH:
            raise _UnusableError
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        if node in self._open:
            raise self._unusable("an alias refers to the value it stands in", place, node)
        if node.tag not in {f"{_TAG}map", f"{_TAG}seq"}:
            raise self._unusable(f"the tag {printable(str(node.tag))!r} is not allowed", place, node)
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self.mapping(node, place)
            return self._sequence(node, place)
        finally:
            self._open.pop()

    def _sequence(self, node: Node, place: Place) -> list[Any]:
        items: list[Any] = []
        for number, item in enumerate(node.value):
            self.file.lines.setdefault((*place, number), item.start_mark.line + 1)
            try:
                items.append(self._value(item, (*place, number)))
            except _UnusableError:
                items.append(None)
        return items

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        text = str(node.value)
        self.file.typed[place] = text
        kind = str(node.tag).removeprefix(_TAG)
        if kind in {"str", "timestamp"}:
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return _integer(text)
            if kind == "float":
                number = float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
                if math.isfinite(number):
                    return number
        except ValueError:
            pass
        if kind in {"int", "float"}:
            raise self._unusable(f"{printable(text, 40)!r} is not a number that can be used", place, node)
        raise self._unusable(f"the tag {printable(str(node.tag))!r} is not allowed", place, node)

    def _unusable(self, what: str, place: Place, node: Node) -> _UnusableError:
        self._problem(what, place, node.start_mark.line + 1)
        return _UnusableError()

    def _problem(self, what: str, place: Place, line: int, fix: str = "") -> None:
        key = f", {dotted(place)}" if place else ""
        self.file.problems.append(InputError(what, where=f"{self.file.name}:{line}{key}", fix=fix))


def _integer(text: str) -> int:
    """A YAML 1.2 integer; `ValueError` for one of absurd length."""
    plain = text.replace("_", "").lower()
    sign = -1 if plain.startswith("-") else 1
    plain = plain.lstrip("+-")
    return sign * int(plain[2:] if plain[:2] in _INTEGER_BASES else plain, _INTEGER_BASES.get(plain[:2], 10))
