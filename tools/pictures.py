"""Takes the pictures of the user guide: every kind of page of the demo, light and dark, wide and narrow.

    python tools/pictures.py                       (of the dataset build/data, which `make demo` writes)
    python tools/pictures.py DATASET --only feature,map --out FOLDER

The pictures are WebP files under docs/images, named kind-scheme-width. The site is rendered anew, with the
list in tools/lists. Needs the packages of `make install` and a Chromium, as the tests do.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.browser import PATIENCE, Visitor, launched  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAE = "stdlib-res-2"
TEXT = "def read(self, size=-1):\n    if size < 0:\n        raise ValueError('negative size')"

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = {"wide": (1280, 960), "narrow": (390, 844)}
"""Name of a width → width and height of the window."""

QUALITY = 0.7
"""Of the WebP files: text stays clean, and all of them together are small."""

TO_WEBP = """async ([data, quality]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""


def test(page: Page) -> None:
    """A text, its features and one of its tokens."""
    load_model(page)
    page.locator("#own-text").fill(TEXT)
    page.wait_for_selector("atlas-test-page[data-answered]")


def contrast(page: Page) -> None:
    """Two texts and the features that tell them apart."""
    load_model(page)
    page.get_by_label("Text A").fill("raise ValueError('negative size')")
    page.get_by_label("Text B").fill("return self.size - offset")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("table.contrast").wait_for()
    page.get_by_role("progressbar").wait_for(state="detached")


def steer(page: Page) -> None:
    """One feature turned up."""
    load_model(page)
    page.get_by_role("combobox", name="Add a feature").fill("1602")
    page.get_by_role("combobox", name="Add a feature").press("Enter")
    page.locator(".steered li").wait_for()
    page.get_by_label("Prompt").fill("# The file")
    page.get_by_role("button", name="Run both").click()
    page.get_by_role("button", name="Cancel").wait_for(state="detached")


def lists(page: Page) -> None:
    """A list with notes."""
    features = [
        {"sae": SAE, "feature_idx": 178, "note": "Opens the message of an error."},
        {"sae": SAE, "feature_idx": 1020, "note": ""},
        {"sae": SAE, "feature_idx": 1643, "note": "After else, and after finally."},
    ]
    value = {"lists": [{"name": "Errors and branches", "features": features}]}
    page.locator("input[type=file]").set_input_files(
        {"name": "lists.json", "mimeType": "application/json", "buffer": json.dumps(value).encode()}
    )
    page.locator(".list-names button", has_text="Errors and branches").click()
    page.locator(".reader-list .listed").nth(2).wait_for()


def map_card(page: Page) -> None:
    """The card of a feature."""
    frame = page.locator("atlas-map .map-frame")
    box = frame.bounding_box()
    if box is not None:
        frame.hover(position={"x": 0.74 * box["width"], "y": 0.36 * box["height"]})
        page.locator(".map-card").wait_for()


def nothing(_page: Page) -> None:
    """The page as it opens."""


def load_model(page: Page) -> None:
    """Press the button that loads the model, and wait for it."""
    page.locator("atlas-model-loader button").first.click()
    page.wait_for_selector("atlas-model-loader[data-state=open]")


KINDS: dict[str, tuple[str, str, Callable[[Page], None]]] = {
    "home": ("index.html", "h1", nothing),
    "browse": (f"{SAE}/index.html", "atlas-feature-table[data-ready]", nothing),
    "thousand": (f"{SAE}/0/index.html", "table.features", nothing),
    "feature": (f"{SAE}/0/178.html", "atlas-feature[data-ready]", nothing),
    "map": ("map.html", "atlas-map[data-ready]", map_card),
    "search": ("search.html?q=raise+error", "atlas-search-page[data-ready]", nothing),
    "lists": ("starred.html", "atlas-lists-page[data-ready]", lists),
    "curated": ("lists/first-look.html", "atlas-curated-list[data-ready]", nothing),
    "test": ("test.html", "atlas-test-page[data-ready]", test),
    "contrast": ("contrast.html", "atlas-contrast-page[data-ready]", contrast),
    "steer": ("steer.html", "atlas-steer-page[data-ready]", steer),
    "about": ("about.html", "h1", nothing),
    "missing": ("404.html", "h1", nothing),
}
"""Kind → its address, the selector of what is there once it is ready, and what to do before the picture."""


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", nargs="?", type=Path, default=ROOT / "build" / "data")
    parser.add_argument("--only", help="kinds of pages, with commas between")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = options.only.split(",") if options.only else list(KINDS)
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        launched(playwright) as browser,
    ):
        site = Path(folder) / "site"
        render(options.dataset, site)
        visit = Visitor(browser)
        developing = browser.new_page()
        for scheme in SCHEMES:
            for width, size in SIZES.items():
                for kind in kinds:
                    page = visit(scheme=scheme, size=size).page
                    png = picture(page, site, kind)
                    webp = developing.evaluate(TO_WEBP, [base64.b64encode(png).decode(), QUALITY])
                    (options.out / f"{kind}-{scheme}-{width}.webp").write_bytes(base64.b64decode(webp))
                visit.close()


def render(dataset: Path, site: Path) -> None:
    """Write the site of `dataset` to `site`, with the lists beside this file."""
    from atlas.config import RenderConfig
    from atlas.pipeline.job import Silence
    from atlas.pipeline.site import write_site
    from atlas.store import AtlasStore

    write_site(AtlasStore.open(dataset), RenderConfig(), Path(__file__).parent, site, Silence())


def picture(page: Page, site: Path, kind: str) -> bytes:
    """The upper part of the page of `kind`, as PNG."""
    address, ready, prepare = KINDS[kind]
    page.goto(f"{site.resolve().as_uri()}/{address}", wait_until="load")
    page.wait_for_selector(ready, state="attached", timeout=PATIENCE)
    prepare(page)
    page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    # Titles and pictures that come with a later file.
    page.wait_for_load_state("networkidle")
    return page.screenshot(animations="disabled")


if __name__ == "__main__":
    main()
