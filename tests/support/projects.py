"""Small projects that the real command line builds in about a second, and what can be seen of the result."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml

from atlas.check.shard import BYTES_FOLDERS
from atlas.cli import main
from atlas.store.letters import from_letters
from tests.support import models
from tests.support.feature_shards import common_pieces, read_features

D_SAE = 12
SLUG = "tiny"
TEXT = "\n".join(models.SENTENCES)

BROKEN_VALUES = re.compile(r"(?<![\w.])(?:-?nan|NaN|-?inf|-?Infinity|undefined|\[object Object\])(?!\w)")
"""What a page shows where a number was computed from nothing."""


@dataclass
class Project:
    """A folder with a model, one SAE, a corpus and a config; change it, then `build()`."""

    folder: Path
    model: Path
    architecture: str = "standard"
    text: bytes | str | None = TEXT
    """Content of `text.txt`; None writes none."""
    files: dict[str, bytes | str] = field(default_factory=dict)
    """Other files, by path."""
    weights: dict[str, Any] = field(default_factory=dict)
    """Tensors of the SAE: numpy arrays by SAELens' names."""
    sae: dict[str, Any] = field(default_factory=dict)
    """Changes to the SAE's cfg.json."""
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.weights = dict(models.sae_weights(self.architecture, d_sae=D_SAE))
        self.config = {
            "title": "A small project",
            "model": {"name": str(self.model), "device": "cpu"},
            "saes": [{"slug": SLUG, "folder": "sae"}],
            "corpus": {"kind": "text", "paths": ["text.txt"], "context_size": 16, "tokens": 600},
            "pass": {"batch_contexts": 8, "top_examples": 4},
            "enrich": {"umap_neighbors": 4, "neighbours": 3},
        }

    @property
    def path(self) -> Path:
        """The config."""
        return self.folder / "site_config.yaml"

    @property
    def data(self) -> Path:
        """The dataset folder."""
        return self.folder / self.config.get("output", {}).get("data", "build/data")

    @property
    def site(self) -> Path:
        """The site folder."""
        return self.folder / self.config.get("output", {}).get("site", "build/site")

    def resize(self, d_sae: int) -> None:
        """Make the SAE one of `d_sae` features."""
        self.weights = dict(models.sae_weights(self.architecture, d_sae=d_sae))
        self.sae["d_sae"] = d_sae

    def write(self) -> Path:
        """Write everything; the path of the config."""
        changes = {"d_sae": D_SAE} | self.sae
        models.write_sae(self.folder / "sae", self.architecture, weights=self.weights, **changes)
        content = self.files | ({} if self.text is None else {"text.txt": self.text})
        for name, body in content.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body.encode() if isinstance(body, str) else body)
        self.path.write_text(yaml.safe_dump(self.config, allow_unicode=True), encoding="utf-8")
        return self.path

    def build(self, *options: str) -> int:
        """Write everything and build it with the command line; the exit code."""
        return main(["build", str(self.write()), *options])

    def result(self) -> dict[str, bytes]:
        """The bytes of the finished dataset and site, by path; the lock file left out."""
        return tree(self.data, "data/") | tree(self.site, "site/")


OTHER_TEXT = TEXT.replace("dog", "wolf").replace("found", "lost") * 2
"""The corpus of a second build into the same folder."""


def copied(project: Project, folder: Path, text: str = OTHER_TEXT) -> Project:
    """The folders of `project`, built ones included, in `folder`; its corpus has changed to `text` since."""
    shutil.copytree(project.folder, folder, dirs_exist_ok=True)
    copy = Project(folder, project.model, text=text)
    copy.config = deepcopy(project.config)
    return copy


def unbuilt_copy(project: Project, folder: Path) -> Project:
    """A project of the same text and options in `folder`, of which nothing was built."""
    copy = Project(folder, project.model, text=project.text)
    copy.config = deepcopy(project.config)
    return copy


def jsonl(texts: Sequence[str]) -> str:
    """One document a line."""
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def tree(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """Every file below `folder` with its content, by path; lock files left out."""
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def different(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Paths that differ or are in one of the two only: what a failing test prints instead of the bytes."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


class _Texts(HTMLParser):
    """Collects everything of a page that is shown or read out: text and the attributes with words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Sizes and places in a drawing break in the same way as words do.
        self.found += [value for name, value in attrs if value and name not in {"href", "src", "content"}]


def page_texts(page: Path) -> list[str]:
    """Texts and attribute values of one page."""
    parser = _Texts()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def feature_text(project: Project, feature_idx: int = 0, slug: str = SLUG) -> str:
    """Everything that the page of a feature shows, in one line."""
    page = project.site / slug / str(feature_idx // 1000) / f"{feature_idx}.html"
    return " ".join(" ".join(page_texts(page)).split())


def shard_contents(site: Path) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every data file of a site."""
    for path in sorted((site / "data").rglob("*.js")):
        call = re.fullmatch(r'atlasShard\("[^"]+","([^"]+)"\);\s*', path.read_text(encoding="utf-16"))
        assert call is not None, path
        yield path.relative_to(site).as_posix(), gzip.decompress(from_letters(call[1]))


def _refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def broken_values(site: Path) -> list[str]:
    """Every NaN, infinity or `undefined` on a page or in a data file of `site`, with its file.

    The other files of bytes are columns, where NaN stands for no value, places and whole numbers.
    """
    found = []
    for page in sorted(site.rglob("*.html")):
        name = page.relative_to(site).as_posix()
        found += [f"{name}: {text!r}" for text in page_texts(page) if BROKEN_VALUES.search(text)]
    contents = dict(shard_contents(site))
    common = common_pieces(json.loads(contents["data/pieces.js"]))
    for name, content in contents.items():
        folders = name.split("/")[2:-1]
        try:
            if folders == ["features"]:
                json.dumps(read_features(content, common), allow_nan=False)
            elif not BYTES_FOLDERS.intersection(folders):
                json.loads(content, parse_constant=_refuse_constant)
        except (AssertionError, ValueError) as error:
            found.append(f"{name}: {error}")
    return found
