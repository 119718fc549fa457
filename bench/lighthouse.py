"""Lighthouse's scores of a page, from an installation of its own: `npm install lighthouse` in any folder."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


LEFT_OUT = "robots-txt"
"""Lighthouse asks for robots.txt in the page's name, which the policy of our pages forbids to everybody."""


def scores(folder: Path, url: str) -> dict[str, float]:
    """Category → score of 0 … 100; `RuntimeError` with Lighthouse's own words where it fails."""
    from tests.support.browser import QUIET
    from tests.support.requirements import chromium_path

    flags = ["--headless=new", "--no-sandbox", *QUIET]
    command = [
        str(folder / "node_modules" / ".bin" / "lighthouse"), url, "--quiet", "--output=json",
        "--output-path=stdout", f"--only-categories={','.join(CATEGORIES)}",
        f"--skip-audits={LEFT_OUT}", f"--chrome-flags={' '.join(flags)}",
    ]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": chromium_path() or ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "lighthouse failed"
        )
    found = json.loads(done.stdout)["categories"]
    return {name: 100 * (found[name]["score"] or 0) for name in CATEGORIES}
