"""What all pages share: the site's frame, and the head of each page."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from atlas.render.numbers import integer
from atlas.render.strips import shown
from atlas.render.themes import SITE_SCRIPT, THEME_SCRIPT
from atlas.render.views import Head, Link, SaeLink, SiteFrame
from atlas.text import inline_text

if TYPE_CHECKING:
    from atlas.store import Manifest

ICON = "icon.svg"
WORKER_SCRIPT = "sw.js"

MODEL_PAGES = {"test": "Test text", "contrast": "Contrast texts", "steer": "Steer the model"}
"""Kind of each page that runs the model in the browser → its name; its path is `<kind>.html`."""

_TITLE_LENGTH = 160
_VERSION_DIGITS = 6
_THOUSAND = 1000


def feature_path(slug: str, feature_idx: int) -> str:
    """Path of a feature's page from the site's root. It never changes once published."""
    return f"{slug}/{feature_idx // _THOUSAND}/{feature_idx}.html"


def feature_href(from_idx: int, to_idx: int) -> str:
    """From one feature's page to another's of the same SAE."""
    here, there = from_idx // _THOUSAND, to_idx // _THOUSAND
    return f"{to_idx}.html" if here == there else f"../{there}/{to_idx}.html"


def asset_path(name: str) -> str:
    """Path of an asset from the site's root; a service worker lies there, the folder it rules over."""
    return name if name == WORKER_SCRIPT else f"assets/{name}"


def asset_url(name: str, data: bytes) -> str:
    """Address of an asset from the site's root; the query, six hex digits, changes with the content."""
    return f"{asset_path(name)}?{hashlib.sha256(data).hexdigest()[:_VERSION_DIGITS]}"


def model_phrase(manifest: Manifest) -> str:
    """The model in a sentence: its name, or what it is where the name is a folder."""
    name = inline_text(str(manifest.model.get("name") or ""))
    if name and not name.startswith((".", "/")) and name.count("/") <= 1 and "\\" not in name:
        return name
    layers, kind = manifest.model.get("n_layers"), manifest.model.get("architecture")
    size = f"{layers}-layer " if layers else ""
    return f"a {size}{inline_text(str(kind))} language model" if kind else "a language model"


def brief(text: str) -> str:
    """`text` for titles and descriptions: one line, visible characters, cut with … when long."""
    line = inline_text(" ".join(text.split()))
    return line if len(line) <= _TITLE_LENGTH else f"{line[: _TITLE_LENGTH - 1]}…"


class Frames:
    """Makes the site's frame and the heads of pages.

    `urls` maps asset names to `asset_url`s, `styles` kinds of pages to the names of their stylesheets.
    """

    def __init__(
        self, manifest: Manifest, urls: dict[str, str], styles: dict[str, str], *, has_map: bool
    ) -> None:
        self.manifest = manifest
        self.name = brief(manifest.title) or "Feature Atlas"
        self.previews: dict[tuple[str, int | None], str] = {}
        """(SAE slug, feature) → path of its preview picture, for features that have one."""
        self._urls = urls
        self._styles = styles
        self._has_map = has_map
        self._menus: dict[tuple[str, str], tuple[Link, ...]] = {}
        self.saes: dict[str, SaeLink] = {
            entry.slug: SaeLink(
                slug=entry.slug,
                title=shown(entry.title or entry.slug),
                href=f"{entry.slug}/index.html",
                n_features=f"{integer(entry.n_features)} features",
                hook_name=inline_text(str(entry.facts.get("hook_name", ""))),
            )
            for entry in manifest.saes
        }
        self.site = SiteFrame(
            title=shown(manifest.title or "Feature Atlas"),
            build_id=manifest.build_id,
            atlas_version=manifest.atlas_version,
            icon=urls.get(ICON, ""),
            theme_script=urls.get(THEME_SCRIPT, ""),
            saes=tuple(self.saes.values()),
        )

    def head(
        self,
        kind: str,
        path: str,
        title: str,
        description: str,
        *,
        sae_slug: str = "",
        feature_idx: int | None = None,
        root: str | None = None,
        image: str = "",
        headline: str = "",
    ) -> Head:
        """The head of the page at `path`. `title` and `description` are plain text, made visible here.

        `headline` is for link previews, by default the title. `image` is the path of its preview picture;
        without it a feature has one if it is in `previews`.
        """
        image = image or self.previews.get((sae_slug, feature_idx), "")
        scripts = (self._urls.get(name, "") for name in (SITE_SCRIPT, f"{kind}.js"))
        return Head(
            kind=kind,
            path=path,
            root="../" * path.count("/") if root is None else root,
            # Features are most of the pages: what their address says is said once.
            title=brief(title) + (f" · {self.name}" if kind not in {"home", "feature"} else ""),
            headline=brief(headline or title),
            description=brief(description) or self.name,
            canonical=self._canonical(path),
            stylesheet=self._urls.get(self._styles.get(kind, ""), ""),
            scripts=tuple(url for url in scripts if url),
            menu=self._menus.get((kind, sae_slug)) or self._menu(kind, sae_slug),
            image=self._canonical(image) if image else "",
            sae_slug=sae_slug,
            feature_idx=feature_idx,
        )

    def _canonical(self, path: str) -> str:
        base = self.manifest.base_url
        return f"{base.rstrip('/')}/{path.removesuffix('index.html')}" if base else ""

    def _menu(self, kind: str, sae_slug: str) -> tuple[Link, ...]:
        slugs = list(self.saes)
        browse = f"{sae_slug or slugs[0]}/index.html" if sae_slug or len(slugs) == 1 else "index.html#saes"
        links = [("browse", browse, "Browse")]
        if self._has_map:
            links.append(("map", "map.html", "Map"))
        if self.manifest.browser_model:
            # The pages that run the model are one entry, and name each other.
            links.append((kind if kind in MODEL_PAGES else "test", "test.html", "Test text"))
        links += [
            ("search", "search.html", "Search"),
            ("starred", "starred.html", "Lists"),
            ("about", "about.html", "About"),
        ]
        menu = tuple(Link(href, label, current=name == kind) for name, href, label in links)
        return self._menus.setdefault((kind, sae_slug), menu)
