"""What one key cannot tell: rules between keys, names of extensions, output folders.

The checks read the values as typed, so that they also speak where other keys are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.configfile.sizes import parse_size
from atlas.configfile.yamlfile import Place, YamlFile, printable
from atlas.errors import InputError, suggest
from atlas.plugins import available
from atlas.text import RESERVED_SLUGS

_SOURCES = ("folder", "release", "repo")
_PATH_KINDS = ("text", "jsonl", "parquet")
_EXTENSIONS = (
    (("model", "engine"), "atlas.engines", "engine"),
    (("corpus", "kind"), "atlas.corpora", "kind of corpus"),
)

Found = tuple[int, InputError]
"""(line, problem)."""


@dataclass(frozen=True)
class _Checked:
    """The file under check and the folder its paths are relative to."""

    file: YamlFile
    base: Path

    def value(self, *place: str | int) -> Any:
        """The value at `place`, or None."""
        value: Any = self.file.data
        for part in place:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def text(self, *place: str | int) -> str | None:
        """The value at `place` if it is text."""
        value = self.value(*place)
        return value if isinstance(value, str) else None

    def saes(self) -> list[tuple[int, dict[str, Any]]]:
        """(position, section) of the entries of `saes` that are sections."""
        entries = self.value("saes")
        if not isinstance(entries, list):
            return []
        return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]

    def found(self, what: str, *place: str | int, fix: str = "") -> Found:
        """A problem at `place`."""
        return self.file.line(place), InputError(what, where=self.file.where(place), fix=fix)


def cross_checks(file: YamlFile, base: Path) -> list[Found]:
    """The problems between the keys of `file`, whose relative paths start at `base`."""
    checked = _Checked(file, base)
    return [
        *_extension_names(checked),
        *_sae_sources(checked),
        *_slugs(checked),
        *_corpus(checked),
        *_theme(checked),
        *_size(checked),
        *_outputs(checked),
    ]


def _extension_names(checked: _Checked) -> Iterator[Found]:
    """Engines, kinds of corpus and SAE formats that are not installed."""
    places: list[tuple[Place, str, str]] = [
        *_EXTENSIONS,
        *((("saes", number, "format"), "atlas.saes", "SAE format") for number, _ in checked.saes()),
    ]
    for place, group, noun in places:
        name = checked.text(*place)
        if name is not None and name not in available(group):
            what = f"{printable(name)!r} is not an installed {noun}"
            yield checked.found(what, *place, fix=suggest(name, available(group)))


def _sae_sources(checked: _Checked) -> Iterator[Found]:
    """Each SAE comes from exactly one of a folder, a release with its sae_id, and a repository."""
    for number, sae in checked.saes():
        given = [key for key in _SOURCES if sae.get(key) is not None]
        if not given:
            yield checked.found(
                "the SAE has no source", "saes", number,
                fix="give one of `folder`, `release` (with `sae_id`) or `repo`",
            )  # fmt: skip
        elif len(given) > 1:
            yield checked.found(
                f"the SAE has {len(given)} sources: {', '.join(given)}", "saes", number, given[1],
                fix=f"keep one; `{given[0]}` comes first",
            )  # fmt: skip
        elif given == ["release"] and sae.get("sae_id") is None:
            yield checked.found(
                "a release needs a `sae_id`", "saes", number, "release",
                fix="add `sae_id:` with the id of one SAE of that release",
            )  # fmt: skip
        elif given == ["folder"] and sae.get("sae_id") is not None:
            yield checked.found(
                "`sae_id` has no meaning beside `folder`", "saes", number, "sae_id",
                fix="remove it, or give `release` instead of `folder`",
            )  # fmt: skip
        if given and "repo" not in given and sae.get("revision") is not None:
            yield checked.found(
                f"`revision` has no meaning beside `{given[0]}`", "saes", number, "revision",
                fix="remove it, or give `repo` with the repository that it is a commit or tag of",
            )  # fmt: skip
        for key in given:
            if isinstance(sae[key], str) and not sae[key].strip():
                yield checked.found(
                    f"`{key}` is empty", "saes", number, key, fix="name it, or remove the key"
                )


def _slugs(checked: _Checked) -> Iterator[Found]:
    """Slugs are the addresses of pages: distinct, and none that the site or an operating system keeps."""
    seen: dict[str, int] = {}
    for number, sae in checked.saes():
        slug = sae.get("slug")
        if not isinstance(slug, str):
            continue
        if slug in RESERVED_SLUGS:
            yield checked.found(
                f"the slug {slug!r} is reserved", "saes", number, "slug", fix=f"for example 'sae-{slug}'"
            )
        if slug in seen:
            first = checked.file.line(("saes", seen[slug], "slug"))
            yield checked.found(
                f"the slug {printable(slug)!r} is used twice (first in line {first})", "saes", number, "slug",
                fix="give each SAE its own; it is the address of its pages",
            )  # fmt: skip
        seen.setdefault(slug, number)


def _corpus(checked: _Checked) -> Iterator[Found]:
    """What each built-in kind of corpus cannot do without."""
    kind = checked.text("corpus", "kind")
    paths, name = checked.value("corpus", "paths"), checked.value("corpus", "name")
    if kind in _PATH_KINDS and (paths is None or paths == []):
        fix = "add `paths:` with files, folders or globs, relative to this file"
        yield checked.found(f"a corpus of kind {kind!r} needs `paths`", "corpus", "kind", fix=fix)
    if kind == "huggingface" and not name:
        fix = "add `name:` with a dataset of the Hub or a local folder"
        yield checked.found("a corpus of kind 'huggingface' needs a `name`", "corpus", "kind", fix=fix)
    if kind in _PATH_KINDS and name is not None:
        yield checked.found(f"`name` has no meaning for a corpus of kind {kind!r}", "corpus", "name",
                            fix="remove it")  # fmt: skip
    if kind in {"huggingface", "python_stdlib"} and paths:
        yield checked.found(f"`paths` has no meaning for a corpus of kind {kind!r}", "corpus", "paths",
                            fix="remove it")  # fmt: skip


def _theme(checked: _Checked) -> Iterator[Found]:
    """A theme is an installed one or a folder with theme.yaml."""
    theme = checked.text("render", "theme")
    if theme is None or theme in available("atlas.themes"):
        return
    if not _is_file(checked.base, f"{theme}/theme.yaml"):
        yield checked.found(
            f"{printable(theme)!r} is neither an installed theme nor a folder with theme.yaml",
            "render", "theme", fix=suggest(theme, available("atlas.themes")),
        )  # fmt: skip


def _size(checked: _Checked) -> Iterator[Found]:
    budget = checked.text("render", "site_budget")
    if budget is not None:
        place = ("render", "site_budget")
        try:
            parse_size(budget, where=checked.file.where(place))
        except InputError as error:
            yield checked.file.line(place), error


def _outputs(checked: _Checked) -> Iterator[Found]:
    """Output folders hold nothing but output: what is in them may be replaced at every build."""
    folders: dict[str, Path] = {}
    for key, default in (("data", "build/data"), ("site", "build/site")):
        text = checked.text("output", key)
        if checked.value("output", key) is not None and text is None:
            continue
        folder, reason = _output_folder(checked.base, default if text is None else text)
        if folder is None:
            yield checked.found(
                f"the output folder {printable(text or default)!r} {reason}", "output", key,
                fix=f"choose a folder of its own, for example {default!r}",
            )  # fmt: skip
            continue
        folders[key] = folder
        yield from _inputs_inside(checked, key, folder)
    if len(folders) == 2 and _overlap(folders["data"], folders["site"]):  # noqa: PLR2004 - both
        yield checked.found(
            "the data and site folders overlap",
            "output", "site" if checked.text("output", "site") else "data",
            fix="choose two folders side by side, for example 'build/data' and 'build/site'",
        )  # fmt: skip


def _output_folder(base: Path, text: str) -> tuple[Path | None, str]:
    """The folder `text` means, or None and why it cannot be used."""
    try:
        folder = (base / text).resolve()
        reason = _refusal(text, folder, base.resolve())
    except (OSError, ValueError, RuntimeError):
        return None, "is not a path"
    return (None, reason) if reason else (folder, "")


def _refusal(text: str, folder: Path, base: Path) -> str:
    """Why the resolved `folder` must not be an output folder; '' when it may be one."""
    try:
        home = Path.home().resolve()
    except RuntimeError:
        home = base
    rules = (
        (not text.strip(), "is empty"),
        (text.startswith("~"), "begins with ~, which is not expanded here"),
        (folder == Path(folder.anchor), "is the root of the file system"),
        (folder in (home, *home.parents), "is or holds your home folder"),
        (folder in (base, *base.parents), "holds the configuration file"),
        ((folder / ".git").exists(), "is a git repository"),
        (folder.exists() and not folder.is_dir(), "is a file"),
    )
    return next((words for broken, words in rules if broken), "")


def _inputs_inside(checked: _Checked, key: str, folder: Path) -> Iterator[Found]:
    """Inputs that lie in an output folder, and corpus folders that would read the output."""
    paths = checked.value("corpus", "paths")
    places: list[Place] = [("model", "name"), *(("saes", number, "folder") for number, _ in checked.saes())]
    if isinstance(paths, list):
        places += [("corpus", "paths", number) for number in range(len(paths))]
    for place in places:
        text = checked.text(*place)
        source = None if text is None else _existing(checked.base, text)
        if source is None:
            continue
        if source == folder or folder in source.parents:
            yield checked.found(
                f"{printable(text or '')!r} lies in the output folder `output.{key}`", *place,
                fix="keep inputs and outputs apart: outputs are replaced at every build",
            )  # fmt: skip
        elif place[0] == "corpus" and source in folder.parents:
            yield checked.found(
                f"the corpus folder {printable(text or '')!r} holds the output folder `output.{key}`", *place,
                fix="name the text more narrowly, or move the output",
            )  # fmt: skip


def _existing(base: Path, text: str) -> Path | None:
    """The file or folder `text` means, resolved, if there is one."""
    try:
        path = (base / text).resolve()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _is_file(base: Path, text: str) -> bool:
    path = _existing(base, text)
    return path is not None and path.is_file()


def _overlap(one: Path, other: Path) -> bool:
    """Whether the folders are the same or one holds the other."""
    return one == other or one in other.parents or other in one.parents
