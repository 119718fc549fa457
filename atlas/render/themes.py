"""Themes: a chain of folders from a child to its ancestors, and the template environment over it.

A theme is a folder with `theme.yaml`, `templates/`, `panels/<name>/{panel.html,panel.css}`, `css/`,
`assets/` and, for scripts, `dist/`. Whatever a child lacks comes from the theme it `extends`;
`{% extends "default:feature.html" %}` reaches one theme of the chain by name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jinja2
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from atlas import plugins
from atlas.errors import InputError, suggest
from atlas.store.files import read_bytes, sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from atlas.render.contexts import Page
    from atlas.render.parts import WatchedSite
    from atlas.render.views import SiteFrame

THEME_FILE = "theme.yaml"
SITE_SCRIPT = "site.js"
THEME_SCRIPT = "theme.js"
PARTS = ("templates", "panels", "css", "assets", "dist")
"""Folders of a theme that pages are made from."""

_MAX_THEME_FILE = 1 << 16
_MAX_CHAIN = 8
_ASSET = re.compile(r"[a-z0-9][a-z0-9._-]*")


class CardSpec(BaseModel):
    """One card of the feature page's margin column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        pattern=r"^[a-z][a-z0-9_-]*$", description="Anchor; a child theme's card of this id replaces it."
    )
    title: str = Field("", description="Heading.")
    columns: tuple[str, ...] = Field((), description="Columns it shows, those that exist.")
    kinds: tuple[str, ...] = Field(
        (), description="It also shows all columns of these kinds that no card names."
    )
    panel: str = Field(
        "", description="Panel that draws it. Default: by the column's name, else by its kind."
    )
    before: str = Field("", description="Id of the card it is put before. Default: the end.")


class ThemeFile(BaseModel):
    """`theme.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", description="Name for people.")
    description: str = Field("", description="What it looks like.")
    extends: str = Field(
        "", description="Theme it is based on: an installed name, or a folder seen from this one."
    )
    cards: tuple[CardSpec, ...] = Field(
        (), description="Cards of the feature page; a child's are added to its parent's."
    )
    styles: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="File of `css/` → kinds of pages that load it. Default: every page does.",
    )


@dataclass(frozen=True)
class Theme:
    """A theme with its ancestors."""

    name: str
    """Installed name, or the folder's name."""
    folder: Path
    """Where it lies."""
    file: ThemeFile
    """Its `theme.yaml`."""
    parent: Theme | None
    """The theme it extends."""

    @property
    def chain(self) -> list[Theme]:
        """The theme, its parent, …, the root."""
        return [self, *(self.parent.chain if self.parent else [])]

    @property
    def cards(self) -> list[CardSpec]:
        """The cards, the parent's first, each replaced by or followed by its own."""
        cards = self.parent.cards if self.parent else []
        for card in self.file.cards:
            ids = [known.id for known in cards]
            if card.id in ids:
                cards[ids.index(card.id)] = card
            elif card.before in ids:
                cards.insert(ids.index(card.before), card)
            else:
                cards.append(card)
        return cards

    def find(self, relative: str) -> Path | None:
        """The nearest file `relative` (trusted, forward slashes) of the chain; None if no theme has it."""
        candidates = (theme.folder / relative for theme in self.chain)
        return next((path for path in candidates if path.is_file()), None)


def default_theme() -> Path:
    """Folder of the theme that comes with atlas: inside the installed package, else beside it."""
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "themes" / "default", package.parent / "themes" / "default")
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def open_theme(name: str, base: Path = Path()) -> Theme:
    """The installed theme `name`, or the theme in the folder `name` seen from `base`.

    `InputError` when there is none, its theme.yaml is wrong, or it extends itself.
    """
    return _open(name, base, ())


def _open(name: str, base: Path, below: tuple[Path, ...]) -> Theme:
    installed = plugins.available("atlas.themes")
    folder = Path(installed[name].load()()) if name in installed else (base / name).resolve()
    if not (folder / THEME_FILE).is_file():
        raise InputError(
            f"there is no theme {name!r}",
            where=str(folder),
            fix=f"{suggest(name, installed)}, or a folder with {THEME_FILE}",
        )
    if folder in below or len(below) >= _MAX_CHAIN:
        raise InputError(
            f"the theme {name!r} extends itself", where=str(folder / THEME_FILE), fix="break the circle"
        )
    file = _read_theme_file(folder / THEME_FILE)
    parent = _open(file.extends, folder, (*below, folder)) if file.extends else None
    return Theme(name if name in installed else folder.name, folder, file, parent)


def _read_theme_file(path: Path) -> ThemeFile:
    try:
        data: Any = YAML(typ="safe", pure=True).load(read_bytes(path, _MAX_THEME_FILE).decode("utf-8"))
        return ThemeFile.model_validate(data or {})
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"the file is not YAML: {str(error).splitlines()[0]}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{key}: {first['msg']}", where=str(path), fix=suggest(key, ThemeFile.model_fields)
        ) from error


class Templates:
    """All templates of a theme, compiled once. Autoescape is on everywhere; there is no filter against it."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._environment = jinja2.Environment(
            loader=_ChainLoader(theme),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
        )
        del self._environment.filters["safe"]
        self._loaded: dict[str, jinja2.Template] = {}
        self._made: dict[tuple[str, ...], Markup] = {}
        self._made_for: dict[int, dict[tuple[str, ...], Markup]] = {}
        cast("dict[str, Any]", self._environment.globals)["once"] = self._once

    def render(self, name: str, site: SiteFrame | WatchedSite, page: Page) -> bytes:
        """The page as UTF-8; a mistake in a template is an `InputError` naming file and line."""
        self._made = self._made_for.setdefault(id(site), {})
        try:
            return self._template(name).render(site=site, page=page).encode("utf-8")
        except jinja2.TemplateError as error:
            raise InputError(
                f"the template does not work: {error.message}",
                where=_place(error, name),
                fix="correct the theme",
            ) from error

    def _template(self, name: str) -> jinja2.Template:
        """The template, loaded once."""
        if name not in self._loaded:
            template = self._environment.get_template(name)
            # Every page copies them: a chain of mappings takes several times as long as one.
            template.globals = dict(template.globals)
            self._loaded[name] = template
        return self._loaded[name]

    def _once(self, *key: str, caller: Callable[[], Markup]) -> Markup:
        """What `{% call once(…) %}` encloses, drawn once for each `key` and `site`: many pages share it."""
        if key not in self._made:
            self._made[key] = caller()
        return self._made[key]

    def has_panel(self, name: str) -> bool:
        """Whether a theme of the chain has the panel `name`."""
        return self.theme.find(panel_template(name)) is not None


def panel_template(name: str) -> str:
    """Template of the panel `name`."""
    return f"panels/{name}/panel.html"


def _place(error: jinja2.TemplateError, name: str) -> str:
    """Template and line of the innermost template frame of `error`."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    place, trace = name, error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".html"):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


class _ChainLoader(jinja2.BaseLoader):
    """Finds `name` in the nearest theme of the chain, `theme:name` in that theme only."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        del environment
        wanted, _, name = template.rpartition(":")
        themes = [theme for theme in self._theme.chain if wanted in {"", theme.name}]
        relative = name if name.startswith("panels/") else f"templates/{name}"
        inside = ".." not in name.split("/")
        for theme in themes:
            path = theme.folder / relative
            if inside and path.is_file():
                return path.read_text(encoding="utf-8"), str(path), None
        raise jinja2.TemplateNotFound(
            template, f"no theme of {[t.name for t in self._theme.chain]} has {template!r}"
        )


def assets(theme: Theme) -> dict[str, Path]:
    """Name → file of every script (dist/*.js) and other asset (assets/*), the nearest of the chain."""
    found: dict[str, Path] = {}
    for each in reversed(theme.chain):
        for path in sorted([*each.folder.glob("dist/*.js"), *each.folder.glob("assets/*")]):
            if path.is_file() and _ASSET.fullmatch(path.name):
                found[path.name] = path
    return found


def theme_hash(theme: Theme) -> str:
    """SHA-256 hex of all that pages are made from: names and contents of the files of the chain.

    A theme's sources and tools do not count (`PARTS`).
    """
    digest = hashlib.sha256()
    for each in theme.chain:
        digest.update(f"{each.name}\n{sha256_file(each.folder / THEME_FILE)}\n".encode())
        paths = (path for part in PARTS for path in (each.folder / part).rglob("*") if path.is_file())
        for path in sorted(paths):
            digest.update(f"{sha256_file(path)}  {path.relative_to(each.folder).as_posix()}\n".encode())
    return digest.hexdigest()


def require_scripts(theme: Theme, found: dict[str, Path]) -> None:
    """`InputError` when the scripts have not been built: a site without them would be half a site."""
    if SITE_SCRIPT not in found:
        raise InputError(
            "the front end is not built: the theme has no script site.js",
            where=str(theme.chain[-1].folder / "dist"),
            fix="run `make` in a checkout (it bundles the scripts), or install the released package",
        )
