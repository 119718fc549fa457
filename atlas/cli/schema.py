"""`atlas schema`: the JSON Schema of the config file, for editors."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import print_result


def schema(
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Print the JSON Schema of site_config.yaml, which lets an editor complete and check it.

    Example:  atlas schema --out site_config.schema.json
    """
    import json

    from atlas.configfile import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if out is None:
        print_result(text)
        return
    from atlas.store.files import write_atomic

    write_atomic(out, (text + "\n").encode())
    print_result(str(out))
