"""The checks against pages that our own templates wrote, hostile text included."""

from __future__ import annotations

import pytest

from atlas.check import check_dataset, check_site
from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support.synthetic import make_atlas
from tests.support.tiny_site import seal

HOSTILE = (
    "<script src='https://evil.example/x.js'></script>",
    '"><img src=x onerror=alert(1)>',
    "</title></head><base href='//evil.example/'>",
    "javascript:alert(1)",
    '<a href="nowhere.html" id="main" style="x">',
    "<!-- --> <style>*{}</style>",
    "'; DROP TABLE features; -- <form action=https://evil.example>",
    "\u202e\x00\x1b[31m<meta http-equiv=refresh content=0>",
)


@pytest.fixture(scope="module", params=["", "https://example.org/some/base/"])
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    store = make_atlas(folder / "data", n_features=24, hostile=HOSTILE)
    store.update(base_url=request.param or None)
    assert check_dataset(folder / "data") == []
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, scripts=False)
    return folder / "site"


def test_our_own_pages_pass_with_any_text_in_them(site):
    assert check_site(site) == []


def test_the_same_text_unescaped_is_found(site):
    """Negative control: put the hostile text into a page as it is."""
    page = site / "alpha/0/5.html"
    before = page.read_text()
    for text in HOSTILE[:-1]:
        page.write_text(before.replace("</main>", f"{text}</main>"))
        seal(site)
        found = check_site(site)
        expected = text != "javascript:alert(1)"
        assert bool(found) == expected, text
    page.write_text(before)
    seal(site)
