"""Writes the generated files that are committed, because tools read them without running Python.

`python tools/generate.py` writes them; `tests/contracts/test_generated.py` fails when one is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def config_schema() -> str:
    """The JSON Schema of `site_config.yaml`, for editors."""
    from atlas.configfile import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def payload_types(name: str) -> str:
    """The TypeScript twins of the payload types that scripts read: the text of the module `name`."""
    from atlas.render.typescript import MODULES, typescript

    return typescript(MODULES[name])


FILES: dict[str, Callable[[], str]] = {
    "docs/site_config.schema.json": config_schema,
    "themes/default/src/payloads.ts": lambda: payload_types("payloads.ts"),
    "themes/default/src/model-payloads.ts": lambda: payload_types("model-payloads.ts"),
}
"""Path from the root → the function that gives its whole text."""


def main() -> None:
    """Write every file of `FILES` and name those that changed."""
    for name, text_of in FILES.items():
        path, text = ROOT / name, text_of()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
