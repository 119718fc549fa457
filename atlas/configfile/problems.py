"""What pydantic found wrong with a file, in the words of the person who wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import BaseModel, ValidationError

from atlas.configfile.yamlfile import Place, YamlFile, dotted, printable
from atlas.errors import InputError, suggest
from atlas.text import slugify

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
}
"""pydantic's kind of error → words with the bound."""
_QUOTE = ("must be text", 'write it in quotes: "{typed}"')
_SECTION = ("must be a section of keys", "write indented lines `key: value` below it")
_WORDS = {
    "string_type": _QUOTE,
    "list_type": ("must be a list", "write [{typed}], or one entry a line, each beginning with `- `"),
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "int": ("must be a whole number", "write digits only, for example 1000000"),
    "float": ("must be a number", "write it like 0.5"),
    "bool": ("must be true or false", "write true or false"),
}
"""pydantic's kind of error, or its first word → (what is wrong, what to do with the text as typed)."""


def validation_problems(
    error: ValidationError, file: YamlFile, root: type[BaseModel]
) -> list[tuple[int, InputError]]:
    """(line, problem) for each thing that pydantic refused in `file`, read as a `root`.

    A required key that was typed but already refused (a duplicate, a bad number) is not reported again.
    """
    found: list[tuple[int, InputError]] = []
    for item in error.errors(include_url=False):
        place: Place = tuple(item["loc"])
        if item["type"] == "missing" and place in file.lines:
            continue
        found.append((file.line(place), _problem(cast("dict[str, Any]", item), place, file, root)))
    return found


def _problem(item: dict[str, Any], place: Place, file: YamlFile, root: type[BaseModel]) -> InputError:
    kind = str(item["type"])
    if kind == "missing":
        return _missing(place, file, root)
    if kind == "extra_forbidden":
        what = f"unknown key {printable(str(place[-1]))!r}"
        return InputError(what, where=file.where(place), fix=_key_fix(place, root))
    what, fix = _words(kind, item, place, file)
    return InputError(f"{_value(place, item, file)} {what}", where=file.where(place), fix=fix)


def _missing(place: Place, file: YamlFile, root: type[BaseModel]) -> InputError:
    section = section_at(root, place[:-1])
    field = None if section is None else keys_of(section).get(str(place[-1]))
    about = f" ({field.description})" if field is not None and field.description else ""
    return InputError(
        f"the required key {str(place[-1])!r} is missing",
        where=file.where(place[:-1]) if place[:-1] else f"{file.name}:1",
        fix=f"add `{dotted(place)}`{about}",
    )


def _value(place: Place, item: dict[str, Any], file: YamlFile) -> str:
    """The value as typed, in quotes; in words for lists and sections."""
    value = item.get("input")
    if value is None:
        return "the empty value"
    if place in file.typed:
        return repr(printable(file.typed[place]))
    shapes = {list: "this list", dict: "this section"}
    return shapes.get(type(value)) or printable(repr(value))


def _words(kind: str, item: dict[str, Any], place: Place, file: YamlFile) -> tuple[str, str]:
    """(what is wrong, what to do) for one kind of pydantic error."""
    context: Mapping[str, Any] = item.get("ctx") or {}
    typed = printable(file.typed.get(place, ""), 60)
    if kind in _BOUNDS:
        return _BOUNDS[kind].format_map(context), ""
    if kind == "literal_error":
        valid = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return "is not one of the choices", suggest(typed, valid)
    if kind.startswith("string_pattern"):
        return _pattern_words(place, typed)
    what, fix = _WORDS.get(kind) or _WORDS.get(kind.split("_", 1)[0]) or (str(item["msg"]).lower(), "")
    return what, fix.format(typed=typed) if typed else ""


def _pattern_words(place: Place, typed: str) -> tuple[str, str]:
    if place[-1] == "slug":
        return "may hold only a-z, 0-9 and single hyphens", f"for example {slugify(typed)!r}"
    if place[-1] == "base_url":
        return "must be a web address", "begin it with https://"
    if place[-1] == "title":
        return "is blank", "write a name that readers see"
    return "has the wrong form", ""


def keys_of(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a section as they are typed in a file → their fields."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section a field holds, itself or as entries of a list; None for plain values."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def section_at(root: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The section at `place` (list positions are passed over); None where there is none."""
    section: type[BaseModel] | None = root
    for part in place:
        if isinstance(part, int) or section is None:
            continue
        field = keys_of(section).get(part) or section.model_fields.get(part)
        section = None if field is None else section_of(field)
    return section


def _key_fix(place: Place, root: type[BaseModel]) -> str:
    """Where an unknown key belongs: another section that has it, or the nearest valid key."""
    key = str(place[-1])
    homes = [home for home, section in _sections(root, ()) if key in keys_of(section)]
    if homes:
        homes = [f"`{home}`" if home else "the top of the file, not indented," for home in homes]
        return f"{printable(key)!r} belongs to {' or '.join(homes)}".rstrip(",")
    section = section_at(root, place[:-1])
    return "" if section is None else suggest(key, keys_of(section))


def _sections(section: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[str, type[BaseModel]]]:
    """(dotted key, section) of `section` and all sections below it."""
    yield ".".join(place), section
    for key, field in keys_of(section).items():
        inner = section_of(field)
        if inner is not None:
            yield from _sections(inner, (*place, key))
