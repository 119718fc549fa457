"""A whole, minimal site written by hand: what the checks and the server look at, without templates."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from atlas.store.letters import ENCODING, MARK, to_letters

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)
FEATURES_PER_SHARD = 16
ROWS_PER_SHARD = 2048


def shard(key: str, content: Any) -> bytes:
    """A data file."""
    return packed_shard(key, gzip.compress(json.dumps(content).encode(), mtime=0))


def packed_shard(key: str, packed: bytes) -> bytes:
    """The data file that carries the gzip stream `packed`."""
    text = f'atlasShard("{key}","{to_letters(packed).decode(ENCODING)}");\n'
    return MARK + text.encode(ENCODING)


def page(root: str, body: str, *, head: str = "", build: str = "b1", policy: str = POLICY) -> str:
    """A page whose site's root is at `root` ('', '../../')."""
    return (
        f'<!doctype html>\n<html lang="en" data-root="{root}" data-build="{build}">\n'
        '<head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>A page</title>\n{head}"
        f'<link rel="stylesheet" href="{root}assets/atlas.css?v=1">\n'
        f'<script src="{root}assets/site.js?v=1" defer></script></head>\n'
        f'<body><a href="{root}index.html">home</a> <a href="#main">skip</a>'
        f'<main id="main">{body}</main></body></html>\n'
    )


def make_site(folder: Path, saes: dict[str, int] | None = None) -> Path:
    """Write a whole site of `saes` (slug → features) to `folder`."""
    sizes = {"alpha": 5, "beta": 3} if saes is None else saes
    for name, content in site_files(sizes):
        write(folder, name, content)
    return seal(folder)


def seal(folder: Path, made_from: str = "") -> Path:
    """Write the marker for the files as they are now, as its definition says."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in names
        if name != ".atlas-site"
    ]
    text = "This folder was written by Feature Atlas and is replaced as a whole by the next render.\n"
    text += f"made from {made_from}\n" + "".join(lines)
    write(folder, ".atlas-site", text + f"{hashlib.sha256(text.encode()).hexdigest()}  .atlas-site\n")
    return folder


def site_files(sizes: dict[str, int], *, build: str = "b1", note: str = "") -> Iterator[tuple[str, bytes]]:
    """Every file of a whole site of the SAEs `sizes`, the marker left out; `note` stands on the home page."""
    yield ".nojekyll", b""
    yield "assets/atlas.css", b'body{background:url("data:image/png;base64,AA==")}'
    yield "assets/site.js", b"void 0;\n"
    links = "".join(f'<a href="{slug}/index.html#main">{slug}</a>' for slug in sizes)
    for name in ("index", "about", "map", "search", "starred"):
        body = f'{links}<a href="https://example.org/paper">paper</a><p>{note}</p>'
        yield f"{name}.html", page("", body, build=build).encode()
    deep = '<script src="../../assets/site.js" defer></script><script src="../assets/site.js" defer></script>'
    yield "404.html", page("", deep + '<a href="../../index.html">home</a>', build=build).encode()
    content = {
        "title": "t",
        "build_id": build,
        "saes": [
            {"slug": slug, "title": slug, "hook_name": "h", "n_features": count}
            for slug, count in sizes.items()
        ],
        "features_per_shard": FEATURES_PER_SHARD,
        "rows_per_title_shard": ROWS_PER_SHARD,
        "rows_per_column_shard": ROWS_PER_SHARD,
    }
    yield "data/site.js", shard("site", content)
    yield "data/search/directory.js", shard("search/directory", {"fields": []})
    for slug, count in sizes.items():
        yield from sae_pages(slug, count, build)
        yield from sae_shards(slug, count)


def sae_pages(slug: str, count: int, build: str) -> Iterator[tuple[str, bytes]]:
    """The pages of one SAE."""
    ways = f'<a href="0/index.html">0</a> <a href="../{slug}/0/0.html">0</a>'
    yield f"{slug}/index.html", page("../", ways, build=build).encode()
    for shelf in range(-(-count // 1000)):
        inside = range(shelf * 1000, min(count, shelf * 1000 + 1000))
        rows = "".join(f'<li><a href="{feature}.html">{feature}</a></li>' for feature in inside)
        yield f"{slug}/{shelf}/index.html", page("../../", f"<ul>{rows}</ul>", build=build).encode()
        for feature in inside:
            following = (feature + 1) % count
            body = (
                f'<a rel="next" href="../{following // 1000}/{following}.html#main">next</a>'
                '<span class="token a9" title="1.5">x</span>'
            )
            yield f"{slug}/{shelf}/{feature}.html", page("../../", body, build=build).encode()


def sae_shards(slug: str, count: int) -> Iterator[tuple[str, bytes]]:
    """The data files of one SAE."""
    keys = [f"{slug}/features/{number}" for number in range(-(-count // FEATURES_PER_SHARD))]
    for kind in ("titles", "texts"):
        keys += [f"{slug}/{kind}/{number}" for number in range(-(-count // ROWS_PER_SHARD))]
    for key in [*keys, f"{slug}/table", f"{slug}/map"]:
        yield f"data/{key}.js", shard(key, {"x": []})


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """Write one file of the site."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
