"""The TypeScript twins of `atlas.render.payloads`, so that every field name exists once.

`python -m atlas.render.typescript FOLDER` writes them; a test holds that the committed files, in
`themes/default/src`, are what this module writes.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import textwrap
import types
import typing
from pathlib import Path

from atlas.errors import InputError
from atlas.render.payloads import PAYLOADS
from atlas.store.browser_model import MODEL_PAYLOADS
from atlas.store.files import write_atomic

_SCALARS: dict[object, str] = {
    int: "number",
    float: "number",
    str: "string",
    bool: "boolean",
    type(None): "null",
}
_UNIONS = (types.UnionType, typing.Union)
_HEADER = (
    "// Written by `python -m atlas.render.typescript`; edit {source} instead.\n"
    "// The JSON that scripts read at run time; each interface marked Shard or Payload is one data file.\n"
)
_MODEL = "model-payloads.ts"

MODULES: dict[str, tuple[type, ...]] = {"payloads.ts": PAYLOADS, _MODEL: MODEL_PAYLOADS}
"""File → the payload types in it; the first passes on those of the second."""


def typescript(payloads: tuple[type, ...] = PAYLOADS) -> str:
    """The text of a TypeScript module with one exported interface per payload type, in order."""
    source = "atlas/store/browser_model.py" if payloads is MODEL_PAYLOADS else "atlas/render/payloads.py"
    passed_on = [f'export type * from "./{_MODEL}";\n'] if payloads is PAYLOADS else []
    return "\n".join([_HEADER.format(source=source), *passed_on, *map(_interface, payloads)])


def _interface(payload: type) -> str:
    docs = _field_docs(payload)
    lines = [*_comment(inspect.getdoc(payload) or "", ""), f"export interface {payload.__name__} {{"]
    for name, hint in typing.get_type_hints(payload).items():
        lines += _comment(docs.get(name, ""), "  ")
        lines.append(f"  {name}: {_type(hint)};")
    return "\n".join([*lines, "}", ""])


def _comment(text: str, indent: str) -> list[str]:
    words = " ".join(text.split())
    return [f"{indent}/** {words} */"] if words else []


def _field_docs(payload: type) -> dict[str, str]:
    """Name of each field → the string literal that follows it in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(payload))).body[0]
    docs: dict[str, str] = {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, following in itertools.pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[field.target.id] = str(following.value.value)
    return docs


def _type(hint: object) -> str:
    """TypeScript's spelling of a Python annotation; a kind JSON cannot carry raises `TypeError`."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        inner = _type(arguments[0])
        return f"({inner})[]" if typing.get_origin(arguments[0]) in _UNIONS else f"{inner}[]"
    if origin is tuple:
        return f"[{', '.join(_type(argument) for argument in arguments)}]"
    if origin in _UNIONS:
        return " | ".join(_type(argument) for argument in arguments)
    if typing.is_typeddict(hint):
        return typing.cast("type", hint).__name__
    raise TypeError(f"{hint!r} has no JSON counterpart")


def main(arguments: list[str]) -> None:
    """Write the modules to the one folder in `arguments`; anything else is an `InputError`."""
    if len(arguments) != 1:
        raise InputError("one path is needed", fix="python -m atlas.render.typescript FOLDER")
    for name, payloads in MODULES.items():
        write_atomic(Path(arguments[0]) / name, typescript(payloads).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
