"""Comparing what was found with what was wanted, and saying where they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FLOAT = 1e-5
"""Largest relative difference of two floats; everything else must be equal."""


def differences(
    found: Any, wanted: Any, where: str = "", *, relative: float = FLOAT, absolute: float = 0.0
) -> Iterator[str]:
    """One line per place in which `found` is not `wanted`: dicts, lists and numbers, as deep as they go."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping) or found.keys() != wanted.keys():
            yield f"{where}: {found!r} is not {wanted!r}"
            return
        for key in wanted:
            place = f"{where}.{key}"
            yield from differences(found[key], wanted[key], place, relative=relative, absolute=absolute)
    elif isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes):
        if len(found) != len(wanted):
            yield f"{where}: {len(found)} entries, not {len(wanted)}: {found!r} is not {wanted!r}"
            return
        for number, (mine, theirs) in enumerate(zip(found, wanted, strict=True)):
            place = f"{where}[{number}]"
            yield from differences(mine, theirs, place, relative=relative, absolute=absolute)
    elif isinstance(wanted, float) and isinstance(found, float):
        if not math.isclose(found, wanted, rel_tol=relative, abs_tol=absolute):
            yield f"{where}: {found!r} is not {wanted!r}"
    elif type(found) is not type(wanted) or found != wanted:
        yield f"{where}: {found!r} is not {wanted!r}"
