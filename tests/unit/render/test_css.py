"""The stylesheet: readable in light and dark, complete, and asking nothing of anybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas.render.styles import stylesheets
from atlas.render.themes import default_theme, open_theme
from tests.support.script_classes import named_classes
from tests.support.sites import Site

Colour = tuple[float, float, float]
PAIR = re.compile(r"--atlas-([\w-]+):\s*light-dark\((#[0-9a-f]{3,6}),\s*(#[0-9a-f]{3,6})\)")
SLATE = default_theme().parent / "slate"
THEMES = ["default", str(SLATE)]
LIGHT, DARK = 0, 1


def rgb(text: str) -> Colour:
    digits = text.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def mix(over: Colour, under: Colour, share: float) -> Colour:
    """`over` drawn at opacity `share` on `under`, in sRGB as browsers blend."""
    red, green, blue = (share * a + (1 - share) * b for a, b in zip(over, under, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """WCAG 2.2's relative luminance."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Colour, second: Colour) -> float:
    """WCAG 2.2's contrast ratio, 1 … 21."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def source(theme: str) -> str:
    """All styles of a theme and its ancestors, as they are written."""
    chain = reversed(open_theme(theme).chain)
    return "\n".join(
        path.read_text("utf-8") for each in chain for path in sorted(each.folder.glob("css/*.css"))
    )


def palette(theme: str, scheme: int) -> dict[str, Colour]:
    css = source(theme)
    return {name: rgb((light, dark)[scheme]) for name, light, dark in PAIR.findall(css)}


def test_the_oracle_knows_black_on_white():
    assert contrast(rgb("#000"), rgb("#ffffff")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES, ids=["default", "slate"])
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card", "chip"])
@pytest.mark.parametrize("ink", ["ink", "soft", "link"])
def test_text_can_be_read(theme: str, scheme: int, ground: str, ink: str):
    colours = palette(theme, scheme)
    assert contrast(colours[ink], colours[ground]) >= 4.5


def heat_rules(css: str) -> dict[int, tuple[float, str]]:
    """Heat class → opacity of ember, and its `color` as written."""
    found = {}
    for step, share, rest in re.findall(
        r"\.a(\d) \{ background: color-mix\(in srgb, var\(--atlas-ember\) ([\d.]+)%, transparent\);([^}]*)\}",
        css,
    ):
        colour = re.search(r"color:\s*([^;]+);", rest)
        found[int(step)] = (float(share) / 100, colour[1] if colour else "var(--atlas-ink)")
    return found


def resolve(value: str, colours: dict[str, Colour], scheme: int) -> Colour:
    if value.startswith("var("):
        return colours[value[len("var(--atlas-") : -1]]
    pair = re.fullmatch(r"light-dark\((#\w+), (#\w+)\)", value)
    assert pair is not None, value
    return rgb(pair[scheme + 1])


@pytest.mark.parametrize("theme", THEMES, ids=["default", "slate"])
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("step", range(1, 10))
def test_tokens_can_be_read_at_every_heat(theme: str, scheme: int, step: int):
    colours = palette(theme, scheme)
    share, ink = heat_rules(source(theme))[step]
    for ground in ("paper", "card"):
        assert contrast(resolve(ink, colours, scheme), mix(colours["ember"], colours[ground], share)) >= 4.5


def test_heat_is_a_linear_ramp_up_to_078():
    shares = {step: share for step, (share, _) in heat_rules(source("default")).items()}
    assert list(shares) == list(range(1, 10))
    for step, share in shares.items():
        assert share == pytest.approx(0.78 * step / 9, abs=0.001)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    "name", ["positive", "negative", "ember", *(f"cluster-{n}" for n in range(10)), "cluster-none"]
)
def test_marks_can_be_told_from_the_ground(scheme: int, name: str):
    """WCAG 1.4.11: graphics need 3:1 against what they lie on."""
    colours = palette("default", scheme)
    assert contrast(colours[name], colours["card"]) >= 3


def test_every_colour_is_registered_so_that_scripts_can_read_it():
    css = source("default")
    registered = set(re.findall(r"@property --atlas-([\w-]+) \{ syntax: \"<color>\"; inherits: true;", css))
    assert registered == {name for name, *_ in PAIR.findall(css)}


def test_only_defined_properties_are_used():
    css = source("default")
    defined = set(re.findall(r"(--[\w-]+)\s*:", css)) | set(re.findall(r"@property (--[\w-]+)", css))
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= defined


def test_nothing_is_loaded():
    css = source("default")
    assert not re.search(r"url\(|@import|@font-face|expression\(", css)


@pytest.mark.parametrize(
    "path",
    sorted((default_theme() / "css").glob("*.css")) + sorted(default_theme().glob("panels/*/*.css")),
    ids=lambda path: path.name,
)
def test_braces_are_balanced(path: Path):
    text = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0


def test_motion_theme_and_print_are_respected():
    css = source("default")
    assert "prefers-reduced-motion: reduce" in css
    assert ':root[data-theme="light"] { color-scheme: light; }' in css
    assert ':root[data-theme="dark"] { color-scheme: dark; }' in css
    assert "@media print" in css
    assert ":focus-visible" in css


def classes(css: str) -> set[str]:
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"\"[^\"]*\"|\{[^{}]*\}", "", css)))


SHEETS = {
    kind: classes(content.decode()) for kind, (_, content) in stylesheets(open_theme("default")).items()
}
STYLED = set[str]().union(*SHEETS.values())


def test_every_class_of_the_pages_is_styled_or_known_not_to_be(site: Site):
    plain = {"plain", "examples"}
    for path, page in site.pages.items():
        used = {name for element in page.elements for name in element.classes}
        assert used - STYLED - plain == set(), path
        assert used & STYLED <= SHEETS[page.one("html").attributes["data-page"]], path


@pytest.mark.parametrize("kind", SHEETS)
def test_every_class_that_the_scripts_of_a_page_make_is_styled_on_it(kind: str):
    named = named_classes(kind)
    assert len(named) > 20
    # The box on a feature's page shares a module with the test page, but shows no address to copy.
    assert (named & STYLED) - SHEETS[kind] <= ({"text-shared"} if kind == "feature" else set())
