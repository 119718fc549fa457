"""`check_site`: silent on a whole site, and one line for each thing that is wrong with another."""

from __future__ import annotations

import gzip
import time

import pytest

from atlas import check
from tests.support.tiny_site import POLICY, make_site, packed_shard, page, seal, shard, write


def check_site(site, progress=None):
    """What is wrong beside the bytes: the site is sealed as it is now."""
    if (site / ".atlas-site").is_file():
        seal(site)
    return check.check_site(site, progress)


@pytest.fixture
def site(tmp_path):
    return make_site(tmp_path / "site")


def with_body(site, body, name="alpha/0/2.html", **more):
    write(site, name, page("../../", body, **more))
    return check_site(site)


def test_a_whole_site_has_no_problems(site):
    calls = []
    assert check_site(site, lambda done, total: calls.append((done, total))) == []
    assert calls[0][0] == 0


def test_a_folder_that_is_no_site_is_one_problem(tmp_path):
    assert len(check_site(tmp_path)) == 1
    assert len(check_site(tmp_path / "nothing")) == 1


@pytest.mark.parametrize(
    "name",
    ["index.html", "about.html", "search.html", "starred.html", "404.html", ".nojekyll", "alpha/index.html",
     "alpha/0/index.html", "beta/0/2.html", "data/alpha/features/0.js", "data/beta/table.js",
     "data/beta/titles/0.js", "data/search/directory.js"],
)  # fmt: skip
def test_a_missing_file_is_named(site, name):
    (site / name).unlink()
    assert f"{name}: is missing" in check_site(site)


def test_an_atlas_may_have_no_map_but_not_half_of_one(site):
    for slug in ("alpha", "beta"):
        (site / f"data/{slug}/map.js").unlink()
    assert check_site(site) == ["map.html: has no data file of any SAE"]
    (site / "map.html").unlink()
    assert check_site(site) == []


def test_pages_are_as_many_as_features(tmp_path):
    site = make_site(tmp_path / "site", {"alpha": 1003})
    assert check_site(site) == []
    (site / "alpha/1/1002.html").unlink()
    found = check_site(site)
    assert "alpha/1/1002.html: is missing" in found
    write(site, "alpha/1/1003.html", page("../../", ""))
    assert "alpha/1/1003.html: is a page that the site does not know of" in check_site(site)


@pytest.mark.parametrize(
    "link",
    ["9.html", "../../nothing.html", "../../../secret.txt", "/index.html", "../index.html/", "../", "./",
     "..",
     "../../index.htm", "0.HTML", "%2e%2e/x.html", "?q=1x/../9.html#main", "0.html%00"],
)  # fmt: skip
def test_a_link_to_nowhere_is_named(site, link):
    if link.startswith("?"):
        assert with_body(site, f'<a href="{link}">x</a>') == []
        return
    assert with_body(site, f'<a href="{link}">x</a>') == [f"alpha/0/2.html: link to {link!r} leads nowhere"]


@pytest.mark.parametrize(
    "link",
    ["0.html", "0.html?x=1", "0.html#main", "#main", "#top", "", "?q=1", "../0/1.html#main",
     "../../index.html", "../../beta/0/1.html", "https://example.org/", "http://example.org/",
     "mailto:a@example.org", "%30.html"],
)  # fmt: skip
def test_a_good_link_is_good(site, link):
    assert with_body(site, f'<a href="{link}">x</a>') == []


def test_a_fragment_must_exist_on_the_page_it_names(site):
    found = with_body(site, '<a href="../0/0.html#nothing">x</a><a href="#gone">y</a>')
    assert found == [
        "alpha/0/2.html: link to alpha/0/0.html#nothing: the page has no such place",
        "alpha/0/2.html: link to alpha/0/2.html#gone: the page has no such place",
    ]
    assert with_body(site, '<h2 id="caf&eacute;">x</h2><a href="#caf%C3%A9">y</a>') == []


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "JavaScript:x", "data:text/html,x", "file:///etc", "vbscript:x"]
)
def test_a_link_that_is_no_page_is_refused(site, link):
    assert with_body(site, f'<a href="{link}">x</a>') == [f"alpha/0/2.html: links to {link!r}"]


@pytest.mark.parametrize(
    "element",
    ['<script src="https://cdn.example/x.js"></script>', '<script src="//cdn.example/x.js"></script>',
     '<link rel="stylesheet" href="https://fonts.example/x.css">', '<img src="http://x.example/p.gif">',
     '<img srcset="a.png 1x, https://x.example/b.png 2x" src="data:image/png;base64,AA==">',
     '<iframe src="https://x.example/"></iframe>', "<video poster='https://x.example/p.png'></video>",
     "<object data=https://x.example/o></object>", '<link rel="icon" href="https://x.example/i.ico">',
     '<img\nsrc\n=\n"https://x.example/p.gif">', '<IMG SRC="HTTPS://x.example/p.gif">',
     '<img alt=">" src="https://x.example/p.gif">'],
)  # fmt: skip
def test_nothing_is_loaded_from_outside(site, element):
    found = with_body(site, element)
    assert any("from outside the site" in line for line in found), found


def test_addresses_that_nobody_loads_may_be_outside(site):
    head = (
        '<link rel="canonical" href="https://example.org/alpha/0/2.html">\n'
        '<meta property="og:url" content="https://example.org/alpha/0/2.html">\n'
    )
    assert with_body(site, '<img src="data:image/png;base64,AA==" alt="">', head=head) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<script>alert(1)</script>", "has an inline <script>"),
        ("<style>b{}</style>", "has an inline <style>"),
        ('<b style="color:red">x</b>', "<b> carries inline code or style (style)"),
        ('<b onclick="x()">x</b>', "<b> carries inline code or style (onclick)"),
        ('<b title="a>x</b>', "has a <b> tag that never ends"),
        ("<b title='a' ONERROR=x>x</b>", "<b> carries inline code or style (onerror)"),
        ('<base href="https://x.example/">', "has a <base>, which moves every link"),
        ('<meta http-equiv="refresh" content="0;url=x">', "redirects by itself"),
        ('<i id="main">x</i>', "has the id 'main' twice"),
        ('<form action="https://x.example/"></form>', "sends a form to 'https://x.example/'"),
    ],
)
def test_what_no_page_may_do(site, body, problem):
    assert f"alpha/0/2.html: {problem}" in with_body(site, body)


@pytest.mark.parametrize(
    "text",
    ["&lt;script&gt;alert(1)&lt;/script&gt;", "a > b & c",
     '<span title="href=&quot;x&quot; onclick=&quot;y&quot;">t</span>',
     "<!-- <a href='nowhere.html'> -->", '<span class="token a9" title="1.5 > 0">x</span>'],
)  # fmt: skip
def test_escaped_text_is_only_text(site, text):
    assert with_body(site, text) == []


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (POLICY.replace("default-src 'none'; ", ""), "its policy does not begin with default-src 'none'"),
        (
            POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
            "allows 'unsafe-inline' for script-src",
        ),
        (POLICY.replace("style-src 'self'", "style-src *"), "allows * for style-src"),
        (
            POLICY + "; connect-src https://x.example",
            "allows the outside source 'https://x.example' for connect-src",
        ),
    ],
)
def test_the_policy_must_hold(site, policy, problem):
    (line,) = with_body(site, "", policy=policy)
    assert problem in line


def test_a_policy_may_allow_more_of_the_site_itself(site):
    assert with_body(site, "", policy=POLICY + "; frame-src 'self'") == []


def test_a_page_without_a_policy_or_with_a_late_one_is_named(site):
    text = page("../../", "")
    policy = next(line for line in text.splitlines(keepends=True) if "Content-Security" in line)
    write(site, "alpha/0/2.html", text.replace(policy, ""))
    assert "alpha/0/2.html: has no Content-Security-Policy" in check_site(site)
    write(site, "alpha/0/2.html", text.replace(policy, "").replace("</head>", policy + "</head>"))
    found = check_site(site)
    assert "alpha/0/2.html: has no Content-Security-Policy" not in found
    assert any("before its Content-Security-Policy" in line for line in found)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: text.replace("<!doctype html>", ""), "does not begin with <!doctype html>"),
        (lambda text: text.replace(' lang="en"', ""), "<html> has no lang"),
        (lambda text: text.replace("A page", ""), "has no title"),
    ],
)
def test_every_page_says_what_it_is(site, spoil, problem):
    write(site, "alpha/0/2.html", spoil(page("../../", "")))
    assert check_site(site) == [f"alpha/0/2.html: {problem}"]


def test_pages_of_two_builds_are_noticed(site):
    found = with_body(site, "", build="b2")
    assert "alpha/0/2.html: is of build 'b2': pages of several builds are mixed" in found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not of the form"),
        ('atlasShard("alpha/map","AAAA");'.encode("utf-16"), "does not decode"),
        ('atlasShard("alpha/map","A");'.encode("utf-16"), "does not decode"),
        ('atlasShard("alpha/map","\u3030");'.encode("utf-16"), "is cut short"),
        (b'atlasShard("alpha/map","AAAA");', "is not of the form"),
        ('alert(1);atlasShard("alpha/map","AAAA");'.encode("utf-16"), "is not of the form"),
        (shard("alpha/map", {"x": [1]}) + b"\x00", "is not of the form"),
        (shard("alpha/map", {"x": [1]})[:-30] + '");'.encode("utf-16-le"), "does not decode"),
        (shard("beta/map", {"x": []}), "registers itself as 'beta/map'"),
        (shard("alpha/map", {"x": [float("nan")]}), "NaN is not JSON"),
        (
            packed_shard("alpha/map", gzip.compress(b"[" * 100_000, mtime=0)),
            "is not JSON",
        ),
        (
            packed_shard("alpha/map", gzip.compress(b"{}", mtime=0) + b"tail"),
            "has bytes after its end",
        ),
        (
            packed_shard("alpha/map", gzip.compress(b"{}", mtime=0)[:-6]),
            "is cut short",
        ),
    ],
)
def test_every_data_file_decodes(site, data, problem):
    write(site, "data/alpha/map.js", data)
    (line,) = check_site(site)
    assert line.startswith("data/alpha/map.js: ")
    assert problem in line


@pytest.mark.parametrize("content", [{}, {"saes": 3}, {"saes": [{"slug": "alpha"}]}, []])
def test_a_site_that_does_not_list_its_saes_is_named(site, content):
    write(site, "data/site.js", shard("site", content))
    (line,) = check_site(site)
    assert line.startswith("data/site.js: does not list the SAEs of the site")


@pytest.mark.parametrize(
    ("css", "problem"),
    [
        ("a{background:url(https://x.example/p.png)}", "from outside the site"),
        ("@import 'https://x.example/x.css';", "from outside the site"),
        ("@import url(//x.example/x.css);", "from outside the site"),
        ("a{background:url('p.png')}", "which is not there"),
    ],
)
def test_style_sheets_load_only_what_is_there(site, css, problem):
    write(site, "assets/atlas.css", css)
    (line,) = check_site(site)
    assert problem in line


def test_links_out_of_the_folder_and_oversized_files_are_named(site, tmp_path, monkeypatch):
    monkeypatch.setattr("atlas.check.site.MAX_FILE_BYTES", 5000)
    monkeypatch.setattr("atlas.check.site.MAX_FOLDER_ENTRIES", 6)
    (tmp_path / "secret").write_text("x")
    (site / "leak.txt").symlink_to(tmp_path / "secret")
    write(site, "big.bin", b"0" * 5001)
    found = check_site(site)
    assert "leak.txt: is a link or not a plain file" in found
    assert "big.bin: 5,001 bytes; hosts take 5,000" in found
    assert any("entries in one folder; hosts take 6" in line for line in found)


def test_unreadable_bytes_are_a_problem_not_an_exception(site):
    write(site, "alpha/0/2.html", b"<!doctype html>\xff\xfe")
    assert any(line.startswith("alpha/0/2.html: cannot be read") for line in check_site(site))


def test_hostile_names_are_printed_as_escapes(site):
    write(site, "a\x1b[2J\u202e.html", page("", ""))
    write(site, "alpha/\n.html", "")
    for line in check_site(site):
        assert line.isprintable()


def test_scanning_is_linear_even_for_text_made_to_hurt():
    from atlas.check.page import scan_page

    for text in (
        "<a " + 'href="' * 60_000,
        "<" * 300_000,
        "<a " + "x=" * 100_000,
        '<a "' * 60_000,
        "<!--" * 60_000,
    ):
        start = time.process_time()
        scan_page(text)
        # A quadratic scan of these takes most of a minute, a linear one milliseconds.
        assert time.process_time() - start < 10
