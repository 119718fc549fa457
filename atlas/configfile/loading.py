"""From a file to a `SiteConfig`, or to one `ConfigError` with everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import BaseModel, ValidationError

from atlas.config import SiteConfig
from atlas.configfile.checks import cross_checks
from atlas.configfile.problems import keys_of, section_of, validation_problems
from atlas.configfile.yamlfile import YamlFile, dotted, read_yaml
from atlas.errors import ConfigError, InputError
from atlas.plugins import available

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_CHOICES = (
    (("ModelConfig", "engine"), "atlas.engines"),
    (("SaeConfig", "format"), "atlas.saes"),
    (("CorpusConfig", "kind"), "atlas.corpora"),
    (("RenderConfig", "theme"), "atlas.themes"),
)


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that was read from a file and found right."""

    config: SiteConfig
    """The typed values."""
    path: Path
    """The file, as given."""
    base: Path
    """Absolute folder of the file; relative paths in `config` start here."""
    lines: dict[str, int]
    """Line, from 1, of every key and list entry as typed ('saes.0.slug')."""


def load_config(path: Path | str) -> LoadedConfig:
    """Read `site_config.yaml`.

    `InputError` when the file is missing or unreadable. `ConfigError` with all problems in the order
    of the file: syntax, duplicate, unknown and missing keys, wrong values, names of extensions that are
    not installed, rules between keys, and output folders that would harm something.
    """
    path = Path(path)
    file = read_yaml(path)
    base = path.absolute().parent
    _prepare(file.data, SiteConfig)
    config: SiteConfig | None = None
    problems: list[tuple[int, InputError]] = [(_line_of(problem), problem) for problem in file.problems]
    try:
        config = SiteConfig.model_validate(file.data)
    except ValidationError as error:
        problems += validation_problems(error, file, SiteConfig)
    problems += cross_checks(file, base)
    if problems or config is None:
        ordered = [problem for _, problem in sorted(problems, key=lambda found: found[0])]
        raise ConfigError(str(path), ordered)
    return LoadedConfig(config, path, base, _dotted_lines(file))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `site_config.yaml`, for editors that complete and check it.

    Installed extensions stand as examples: others may be installed where the file is used.
    """
    schema = SiteConfig.model_json_schema(by_alias=True)
    for (section, key), group in _CHOICES:
        schema["$defs"][section]["properties"][key]["examples"] = list(available(group))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Feature Atlas site_config.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _prepare(data: dict[str, Any], section: type[BaseModel]) -> None:
    """Take out what pydantic would read otherwise than the person who wrote it.

    `pass:` with nothing below it (all options commented out) is a section of defaults. true and false
    are no numbers.
    """
    for key, field in keys_of(section).items():
        value = data.get(key)
        inner = section_of(field)
        if inner is None:
            if isinstance(value, bool) and not _takes(field, bool):
                data[key] = str(value).lower()
            continue
        if value is None and key in data and not field.is_required():
            del data[key]
        for entry in cast("list[Any]", value if isinstance(value, list) else [value]):
            if isinstance(entry, dict):
                _prepare(cast("dict[str, Any]", entry), inner)


def _takes(field: FieldInfo, kind: type) -> bool:
    """Whether a field's annotation names `kind`, alone or in a union."""
    return kind in (field.annotation, *get_args(field.annotation))


def _line_of(problem: InputError) -> int:
    """The line in `file:line, key`."""
    number = problem.where.split(", ")[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _dotted_lines(file: YamlFile) -> dict[str, int]:
    return {dotted(place): line for place, line in file.lines.items() if place}
