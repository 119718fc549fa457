"""Two validators of HTML that find different things, html-validate and the Nu checker, run on folders."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.requirements import ROOT, missing

PACKAGES = ROOT / "themes/default/node_modules"
CONFIG = {
    "root": True,
    "extends": ["html-validate:standard"],
    "rules": {
        # Taste, not the standard: end tags that may be left out are, since sites have a page per feature.
        "no-implicit-close": "off",
        "long-title": "off",
    },
}


def html_validate(folder: Path) -> list[str]:
    """`page:line: rule: message` of every fault that html-validate finds in the pages of `folder`."""
    program = PACKAGES / "html-validate/bin/html-validate.mjs"
    if not program.is_file():
        missing("html-validate is not installed", fix="cd themes/default && npm ci")
    config = folder / ".htmlvalidate.json"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    command = [_node(), str(program), "--config", str(config), "--formatter", "json", str(folder)]
    found = _json(command)
    return [
        f"{Path(page['filePath']).name}:{one['line']}: {one['ruleId']}: {one['message']}"
        for page in found
        for one in page["messages"]
    ]


def nu_checker(folder: Path) -> list[str]:
    """`page:line: message` of every error that the Nu checker finds in the pages of `folder`."""
    program = PACKAGES / "vnu-jar/build/dist/vnu.jar"
    if not program.is_file():
        missing("the Nu checker is not installed", fix="cd themes/default && npm ci")
    java = shutil.which("java")
    if java is None:
        missing("no Java for the Nu checker", fix="install a Java runtime, e.g. default-jre-headless")
    pages = sorted(map(str, folder.glob("*.html")))
    # Its messages are what it is asked for: it prints them as errors.
    options = ["--errors-only", "--exit-zero-always", "--stdout", "--format", "json"]
    found = _json([java, "-Xss8m", "-jar", str(program), *options, *pages])
    return [
        f"{Path(one['url']).name}:{one.get('lastLine', 0)}: {one['message']}"
        for one in found["messages"]
        if one["type"] != "info"
    ]


def _node() -> str:
    """The machine's Node, or the one that comes with the environment."""
    own = Path(sys.executable).with_name("node")
    found = shutil.which("node") or (str(own) if own.is_file() else None)
    if found is None:
        missing("no Node", fix="make test installs one")
    return found


def _json(command: list[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.strip(), f"{command[:4]} said nothing: {done.stderr[-500:]}"
    return json.loads(done.stdout)
