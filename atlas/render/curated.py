"""Curated lists: files under `lists/` beside the config, read and checked as the config itself is.

A file is one list, or what a reader exported from the page of their own lists (docs/lists.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from atlas.configfile import read_yaml
from atlas.configfile.problems import validation_problems
from atlas.configfile.yamlfile import YamlFile, printable
from atlas.errors import ConfigError, InputError, suggest
from atlas.text import slugify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FOLDER = "lists"
"""Folder of the lists beside the config, and of their pages in the site."""

SUFFIXES = (".yaml", ".yml", ".json")
"""Files of these endings are lists; others in the folder are left alone."""

_PREVIEWS = "preview"
_MOST_FILES = 500


def _one_line(text: str) -> str:
    return " ".join(text.split())


_Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_one_line)]


class _Part(BaseModel):
    # Strict: `true` is no number and `12` no text, here as in the file of a reader (lists/check.ts).
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ListedFeature(_Part):
    """One feature of a list."""

    sae: str = Field(description="Slug of its SAE.")
    feature_idx: int = Field(ge=0, le=2**31 - 1, description="Its number.")
    note: str = Field("", max_length=4000, description="What is to be said of it here.")


class _List(_Part):
    name: _Name = Field(description="Heading of the page.")
    description: str = Field("", max_length=4000, description="What the list is about.")
    features: list[ListedFeature] = Field(
        min_length=1, max_length=10_000, description="The features, in order."
    )


class _SingleFile(_List):
    format: Literal["feature-atlas-lists"] = "feature-atlas-lists"
    version: Literal[1] = 1


class _ManyFile(_Part):
    format: Literal["feature-atlas-lists"] = "feature-atlas-lists"
    version: Literal[1] = 1
    build_id: str = Field("", description="Build it was made with; kept for people.")
    lists: list[_List] = Field(min_length=1, max_length=500, description="The lists.")


@dataclass(frozen=True)
class CuratedList:
    """A list that becomes a page."""

    slug: str
    """Its page is `lists/<slug>.html`."""
    name: str
    """Heading."""
    description: str
    """What it is about; may be empty."""
    features: tuple[ListedFeature, ...]
    """The features, in order."""

    @property
    def path(self) -> str:
        """Path of its page from the site's root."""
        return f"{FOLDER}/{self.slug}.html"


def list_files(base: Path) -> list[Path]:
    """The files of lists in the config folder `base`, by name; empty where there are none."""
    folder = base / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())


def read_lists(base: Path, sizes: Mapping[str, int]) -> tuple[CuratedList, ...]:
    """The lists of the config folder `base`; `sizes` has the number of features of every SAE.

    `ConfigError` with everything that is wrong in any of the files, each with file and line.
    """
    files = list_files(base)
    problems: list[InputError] = []
    lists: list[CuratedList] = []
    homes: dict[str, str] = {}
    if len(files) > _MOST_FILES:
        problems.append(InputError(f"more than {_MOST_FILES} files of lists", where=str(base / FOLDER)))
    for path in files[:_MOST_FILES]:
        found = _read_file(path, sizes, problems)
        for each in found:
            if each.slug in homes:
                problems.append(_taken(each, path, homes[each.slug]))
            homes.setdefault(each.slug, path.name)
        lists += found
    if problems:
        raise ConfigError(str(base / FOLDER), problems)
    return tuple(lists)


def _taken(each: CuratedList, path: Path, home: str) -> InputError:
    return InputError(
        f"the list {printable(each.name)!r} would have the page {each.path}, as one in {printable(home)}",
        where=str(path),
        fix="rename the file or the list",
    )


def _read_file(path: Path, sizes: Mapping[str, int], problems: list[InputError]) -> list[CuratedList]:
    """The lists in one file; what is wrong with it is added to `problems`."""
    try:
        file = read_yaml(path)
    except ConfigError as error:
        problems.extend(error.problems)
        return []
    except InputError as error:
        problems.append(error)
        return []
    _join_surrogates(file.data)
    root = _ManyFile if "lists" in file.data else _SingleFile
    found = [(_line_of(problem), problem) for problem in file.problems]
    lists: Sequence[_List] = ()
    try:
        parsed = root.model_validate(file.data)
        lists = parsed.lists if isinstance(parsed, _ManyFile) else [parsed]
    except ValidationError as error:
        found += validation_problems(error, file, root)
    found += _feature_problems(file, sizes)
    problems += [problem for _, problem in sorted(found, key=lambda pair: pair[0])]
    return [] if found else [_curated(path.stem, each, len(lists) > 1) for each in lists]


def _join_surrogates(value: Any) -> Any:
    """`value` with the halves of characters joined, in place: JSON may write one character as two escapes."""
    if isinstance(value, str):
        return (
            value
            if value.isascii()
            else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        )
    places: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in list(places):
        value[key] = _join_surrogates(inner)
    return value


def _curated(stem: str, each: _List, several: bool) -> CuratedList:
    """`each` with its address: by the file's name, and by its own where a file holds several."""
    slug = slugify(f"{stem} {each.name}" if several else stem)
    slug = f"{slug}-list" if slug == _PREVIEWS else slug
    return CuratedList(slug, each.name, each.description.strip(), tuple(each.features))


def _line_of(problem: InputError) -> int:
    """The line in `file:line, key`."""
    number = problem.where.split(", ")[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _feature_problems(file: YamlFile, sizes: Mapping[str, int]) -> Iterator[tuple[int, InputError]]:
    """Features that this atlas does not have, or that stand twice in one list."""
    lists = file.data.get("lists")
    places: list[tuple[tuple[str | int, ...], Any]] = [((), file.data)]
    if isinstance(lists, list):
        places = [(("lists", number), entry) for number, entry in enumerate(lists)]
    for place, entry in places:
        features = entry.get("features") if isinstance(entry, dict) else None
        seen: dict[tuple[str, int], int] = {}
        for number, feature in enumerate(features if isinstance(features, list) else []):
            spot = (*place, "features", number)
            sae = feature.get("sae") if isinstance(feature, dict) else None
            index = feature.get("feature_idx") if isinstance(feature, dict) else None
            if not isinstance(sae, str) or not isinstance(index, int):
                continue
            problem = _unknown(file, spot, sae, index, sizes)
            if problem is None and (sae, index) in seen:
                problem = InputError(
                    f"{printable(sae)}/{index} stands twice in the list (first in line {seen[sae, index]})",
                    where=file.where(spot),
                    fix="keep one of them",
                )
            seen.setdefault((sae, index), file.line(spot))
            if problem is not None:
                yield file.line(spot), problem


def _unknown(
    file: YamlFile, spot: tuple[str | int, ...], sae: str, index: int, sizes: Mapping[str, int]
) -> InputError | None:
    """A problem where this atlas has no such feature."""
    if sae not in sizes:
        what = f"this atlas has no SAE {printable(sae)!r}"
        return InputError(what, where=file.where((*spot, "sae")), fix=suggest(sae, sizes))
    if index >= sizes[sae]:
        what = f"{sae} has {sizes[sae]:,} features; there is none with the number {index}"
        return InputError(what, where=file.where((*spot, "feature_idx")), fix=f"0 to {sizes[sae] - 1}")
    return None
