"""Is a site whole: bytes, pages, links and fragments, data files, and nothing from outside?"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from atlas.check.page import Page, scan_page
from atlas.check.shard import ShardError, decode_shard
from atlas.store.seal import SEAL_NAME, read_seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_FILE_BYTES = 25_000_000
"""Largest file: the smallest limit of the usual static hosts."""

MAX_FOLDER_ENTRIES = 10_000
"""Most entries of one folder: the smallest limit of the usual static hosts."""

MODEL_INDEX = "data/model/index.js"
"""Names every file of the model for browsers."""

SHELF = 1000
"""Features per folder of pages."""

MISSING_PAGE = "404.html"
"""Shown at any depth, so its links may carry more `../` than the place it lies in."""

_CSS_URL = re.compile(r"""(?:url\(|@import\s(?!\s*url\())\s*["']?([^"')\s;]+)""", re.IGNORECASE)


def check_site(folder: Path, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Problems of the site in `folder`, one line each, in the order of the files; `[]` if it is whole.

    `progress(files done, files in all)` is called now and then. Reads every page, data file and style sheet
    once; memory grows with the links between pages, not with their text. Never raises for damage.
    """
    if not (folder / SEAL_NAME).is_file():
        return [f"{folder}: not a site that atlas wrote (no {SEAL_NAME})"]
    return _SiteCheck(folder, progress).run()


class _SiteCheck:
    """One check: the files there are, and what each asks of the others."""

    def __init__(self, folder: Path, progress: Callable[[int, int], None] | None) -> None:
        self._folder = folder
        self._progress = progress
        self._problems: list[str] = []
        self._named: set[str] = set()
        self._digests: dict[str, str] = {}
        self._files: dict[str, int] = {}
        self._ids: dict[str, frozenset[str]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}
        self._fragments: dict[tuple[str, str], str] = {}
        self._resolved: dict[tuple[str, str], str | None] = {}
        self._builds: dict[str, str] = {}

    def run(self) -> list[str]:
        self._walk()
        for number, path in enumerate(self._files):
            self._read(path)
            if self._progress is not None and number % 64 == 0:
                self._progress(number, len(self._files))
        self._check_fragments()
        self._check_builds()
        self._check_expected()
        self._check_seal()
        return self._problems

    def _walk(self) -> None:
        """List the files; links and oversized things are problems of their own."""
        for root, folders, names in os.walk(self._folder):
            folders.sort()
            here = Path(root).relative_to(self._folder).as_posix()
            if len(folders) + len(names) > MAX_FOLDER_ENTRIES:
                self._say(
                    here,
                    f"{len(folders) + len(names):,} entries in one folder; hosts take {MAX_FOLDER_ENTRIES:,}",
                )
            for name in sorted(names):
                path = name if here == "." else f"{here}/{name}"
                full = Path(root) / name
                if full.is_symlink() or not full.is_file():
                    self._say(path, "is a link or not a plain file")
                    continue
                self._files[path] = full.stat().st_size
                if self._files[path] > MAX_FILE_BYTES:
                    self._say(path, f"{self._files[path]:,} bytes; hosts take {MAX_FILE_BYTES:,}")

    def _say(self, path: str, text: str) -> None:
        self._named.add(path)
        self._problems.append(f"{ascii(path)[1:-1]}: {text}")

    def _read(self, path: str) -> None:
        try:
            data = (self._folder / path).read_bytes()
            self._digests[path] = hashlib.sha256(data).hexdigest()
            if path.endswith(".html"):
                self._take_page(path, scan_page(data.decode("utf-8")))
            elif path.startswith("data/") and path.endswith(".js"):
                self._take_shard(path, data)
            elif path.endswith(".css"):
                self._take_styles(path, data.decode("utf-8"))
        except (OSError, UnicodeError) as error:
            self._say(path, f"cannot be read ({error})")

    def _take_page(self, path: str, page: Page) -> None:
        for problem in page.problems:
            self._say(path, problem)
        # Pages of one kind have the same ids: sixteen thousand pages share a few sets.
        self._ids[path] = self._shared.setdefault(page.ids, page.ids)
        if page.build:
            self._builds.setdefault(page.build, path)
        for link in page.links:
            self._take_link(path, link)

    def _take_link(self, path: str, link: str) -> None:
        place, _, fragment = link.partition("#")
        place = place.partition("?")[0]
        target = self._target(path, place)
        if target is None:
            self._say(path, f"link to {link[:120]!r} leads nowhere")
        elif fragment:
            self._fragments.setdefault((target, unquote(fragment)), path)

    def _target(self, path: str, place: str) -> str | None:
        """The file that `place`, written on page `path`, leads to, or None."""
        if not place:
            return path
        key = ("" if path == MISSING_PAGE else posixpath.dirname(path), place)
        if key not in self._resolved:
            found = self._find_below_any_base(place) if path == MISSING_PAGE else self._find(*key)
            self._resolved[key] = found
        return self._resolved[key]

    def _find(self, folder: str, place: str) -> str | None:
        """A link must name its file: from file:// a folder shows a listing, not its index.html."""
        plain = posixpath.normpath(posixpath.join(folder, unquote(place)))
        return (
            plain if plain in self._files and not place.startswith("/") and not place.endswith("/") else None
        )

    def _find_below_any_base(self, place: str) -> str | None:
        """The 404 page is shown at any depth: its links are absolute, or go up further than it lies deep."""
        parts = [part for part in place.split("/") if part not in {"", ".", ".."}]
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((tail for tail in tails if tail in self._files), None)

    def _take_shard(self, path: str, data: bytes) -> None:
        try:
            key, content = decode_shard(data)
        except ShardError as error:
            self._say(path, str(error))
            return
        if path != f"data/{key}.js":
            self._say(path, f"registers itself as {key!r}")
        del content

    def _take_styles(self, path: str, text: str) -> None:
        for target in _CSS_URL.findall(text):
            if target.startswith(("data:", "#")):
                continue
            if ":" in target or target.startswith("//"):
                self._say(path, f"loads {target[:80]!r} from outside the site")
            elif self._target(path, target.partition("#")[0].partition("?")[0]) is None:
                self._say(path, f"loads {target[:80]!r}, which is not there")

    def _check_fragments(self) -> None:
        for (target, fragment), path in self._fragments.items():
            known = self._ids.get(target)
            if known is not None and fragment not in known and fragment != "top":
                self._say(path, f"link to {target}#{fragment}: the page has no such place")

    def _check_builds(self) -> None:
        if len(self._builds) > 1:
            for build, path in self._builds.items():
                self._say(path, f"is of build {build!r}: pages of several builds are mixed")

    def _check_expected(self) -> None:
        """The pages and data files that the site's own list of SAEs promises."""
        try:
            site = self._shard("data/site.js")
            expected = list(expected_files(site))
        except ShardError:
            return  # Said of every data file that is none.
        except (OSError, KeyError, TypeError, ValueError) as error:
            self._say("data/site.js", f"does not list the SAEs of the site ({error})")
            return
        expected += self._expected_of_model(site)
        wanted = set(expected)
        # An atlas whose SAEs have no places (a single feature, say) has no map at all.
        if "map.html" in self._files and not any(path.endswith("/map.js") for path in self._files):
            self._say("map.html", "has no data file of any SAE")
        for path in expected:
            if path not in self._files:
                self._say(path, "is missing")
        slugs = {path.partition("/")[0] for path in expected if path.endswith("/index.html")}
        for path in self._files:
            if path.partition("/")[0] in slugs and path.endswith(".html") and path not in wanted:
                self._say(path, "is a page that the site does not know of")

    def _expected_of_model(self, site: dict[str, Any]) -> list[str]:
        """The files that the model for browsers adds, where the site has one."""
        if not site.get("model"):
            return []
        try:
            return list(model_files(site, self._shard(MODEL_INDEX)))
        except (OSError, ShardError, KeyError, TypeError, ValueError) as error:
            self._say(MODEL_INDEX, f"does not list the files of the model ({error})")
            return []

    def _shard(self, path: str) -> Any:
        """What the shard in the file `path` holds; `OSError` or `ShardError`."""
        return decode_shard((self._folder / path).read_bytes())[1]

    def _check_seal(self) -> None:
        """Every byte as it was written; of a file that was found wrong already this would say nothing new."""
        seal = read_seal(self._folder)
        if seal is None:
            self._say(SEAL_NAME, "does not list the files of the site as they were written")
            return
        for path, digest in seal.digests.items():
            if path in self._named:
                continue
            if path not in self._files:
                self._say(path, "is missing")
            elif self._digests[path] != digest:
                self._say(path, "is not as it was written (its SHA-256 differs)")


def expected_files(site: dict[str, Any]) -> Iterator[str]:
    """Every page and data file that must exist by the content of shard `site` (`SitePayload`).

    `KeyError`, `TypeError` or `ValueError` when it is not such a payload.
    """
    yield from ("index.html", "about.html", "search.html", "starred.html", MISSING_PAGE, ".nojekyll")
    yield "data/search/directory.js"
    for sae in site["saes"]:
        slug, count = str(sae["slug"]), int(sae["n_features"])
        yield f"{slug}/index.html"
        for shelf in range(-(-count // SHELF)):
            yield f"{slug}/{shelf}/index.html"
        for feature in range(count):
            yield f"{slug}/{feature // SHELF}/{feature}.html"
        for shard in range(-(-count // int(site["features_per_shard"]))):
            yield f"data/{slug}/features/{shard}.js"
        yield f"data/{slug}/table.js"
        for shard in range(-(-count // int(site["rows_per_title_shard"]))):
            yield f"data/{slug}/titles/{shard}.js"
        for shard in range(-(-count // int(site["rows_per_column_shard"]))):
            yield f"data/{slug}/texts/{shard}.js"


def model_files(site: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    """Every file that the model for browsers adds, by shards `site` and `model/index` (`ModelPayload`).

    `KeyError`, `TypeError` or `ValueError` when they are not such payloads.
    """
    yield from ("test.html", "contrast.html", "steer.html")
    for file in model["files"]:
        for part in range(int(file["parts"])):
            yield f"data/{file['key']}/{part}.js"
    for sae in model["saes"]:
        for shard in range(-(-int(sae["d_sae"]) // int(site["features_per_shard"]))):
            yield f"data/{sae['slug']}/directions/{shard}.js"
