"""Numbers as people read them: exact integers keep every digit, floats four (a title says the rest)."""

from __future__ import annotations

import math

import numpy as np

NO_DATA = "\N{EN DASH}"
"""Shown instead of a number that does not exist (null, NaN, infinite)."""

_MINUS = "\N{MINUS SIGN}"
_NARROW_SPACE = "\u202f"
_LARGEST_PLAIN = 1e7
_SMALLEST_PLAIN = 1e-4
_FEW = 10
_LARGEST_SINGLE = 3.4e38
_TWO_DECIMALS = 0.01
_FIXED = tuple(f"{{:,.{places}f}}".format for places in range(24))
"""Writes a number to so many decimals; made once, as every page holds dozens."""


def integer(value: int) -> str:
    """`1234567` → `1,234,567`: every digit, grouped by commas, with a true minus sign."""
    return f"{value:,}".replace("-", _MINUS)


def decimal(value: float | None, digits: int = 4) -> str:
    """`value` to `digits` significant digits, trailing zeros kept: `14.2131` → `14.21`, `0.5` → `0.5000`.

    Whole parts longer than `digits` keep all their digits; below 1e-4 and from 1e7 on the exponent is
    written as `1.234e-5`; zero is `0`; what is not a finite number is `NO_DATA`.
    """
    if value is None or not math.isfinite(value):
        return NO_DATA
    if value == 0:
        return "0"
    size = abs(value)
    if size < _SMALLEST_PLAIN or size >= _LARGEST_PLAIN:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)
    text = _FIXED[max(0, digits - 1 - math.floor(math.log10(size)))](value)
    return text if value > 0 else text.replace("-", _MINUS)


def signed(value: float | None) -> str:
    """With sign and two decimals, or two digits where that would be zero: `+2.31`, `-0.0042`."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    text = f"{value:+,.2f}".replace("-", _MINUS)
    if abs(value) >= _TWO_DECIMALS or value == 0:
        return text
    return text[0] + decimal(abs(value), 2)


def exact(value: float | None) -> str:
    """The shortest decimal that gives `value` back: as float32 if it is one, else as float64."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    if float(value).is_integer() and abs(value) < _LARGEST_PLAIN:
        return str(int(value))
    if abs(value) < _LARGEST_SINGLE:
        single = np.float32(value)
        if float(single) == value:
            return str(single)
    return repr(value)


def percent(fraction: float | None, digits: int = 3) -> str:
    """`0.00115` → `0.115 %` with a narrow space that does not break."""
    text = decimal(None if fraction is None else fraction * 100, digits)
    return text if text == NO_DATA else f"{text}{_NARROW_SPACE}%"


def one_in(count: int, total: int) -> str:
    """How often something happens: `1 in 870 tokens`, from half on `63 % of tokens`. Both are positive."""
    if count * 2 >= total:
        return f"{percent(count / total)} of tokens"
    return f"1 in {ratio(count / total)} tokens"


def ratio(share: float) -> str:
    """1 / `share`, in words of `one_in`: two digits below ten, else whole."""
    inverse = 1 / share
    return decimal(inverse, 2) if inverse < _FEW else integer(round(inverse))
