"""The user's own explanations: a JSONL file, hostile until every line has been checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from atlas.errors import ConfigError, InputError, suggest
from atlas.store.files import read_bytes

KEYS = {
    "sae": "slug of the SAE; may be left out where the atlas has one SAE",
    "feature_idx": "number of the feature, from 0",
    "text": "the explanation, not empty, at most 1,000 characters",
    "method": "how it was made; 'explanations file' where left out",
    "score": "between 0 and 1",
    "score_name": "what the score measures; 'score' where left out",
}
"""Every key of a line → what it holds. `feature_idx` and `text` are required."""

MAX_BYTES = 256 << 20
MAX_TEXT = 1000
MAX_SHORT = 100
_MAX_LINE = 1 << 16
_MAX_SHOWN = 60
_EXAMPLE = 'one object a line, such as {"sae": "…", "feature_idx": 17, "text": "…"}'
_MAX_PROBLEMS = 50


def read_explanations(path: Path, sizes: Mapping[str, int]) -> dict[str, dict[int, dict[str, Any]]]:
    """SAE slug → feature_idx → the columns text, method, score, score_name of `schema.EXPLANATIONS`.

    `sizes` is d_sae by slug; every one of them is a key of the result. `ConfigError` with all bad
    lines (the first 50 in full), each with file:line; `InputError` when there is no such file.
    """
    found: dict[str, dict[int, dict[str, Any]]] = {slug: {} for slug in sizes}
    lines: dict[tuple[str, int], int] = {}
    problems: list[InputError] = []
    unshown = 0
    data = read_bytes(path, MAX_BYTES).removeprefix(b"\xef\xbb\xbf")
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            slug, feature, row = _row(line, sizes)
            first = lines.setdefault((slug, feature), number)
            if first != number:
                _refuse(f"feature {feature} of {slug!r} already has an explanation on line {first}")
            found[slug][feature] = row
        except InputError as problem:
            unshown += len(problems) >= _MAX_PROBLEMS
            if len(problems) < _MAX_PROBLEMS:
                problems.append(InputError(problem.what, where=f"{path}:{number}", fix=problem.fix))
    if unshown:
        problems.append(InputError(f"and {unshown} more lines like these", where=str(path)))
    if problems:
        raise ConfigError(str(path), problems)
    return found


def _row(line: bytes, sizes: Mapping[str, int]) -> tuple[str, int, dict[str, Any]]:
    """(slug, feature_idx, columns) of one line; `InputError` without a place."""
    raw = _parse(line)
    for key in raw:
        if key not in KEYS:
            _refuse(f"unknown key {_shown(key)}", suggest(key[:100], KEYS))
    slug = raw.get("sae", next(iter(sizes)) if len(sizes) == 1 else None)
    if not isinstance(slug, str) or slug not in sizes:
        missing = slug is None
        _refuse(
            "'sae' is missing" if missing else f"there is no SAE {_shown(slug)}",
            suggest(str(slug)[:100] if slug else "", sizes),
        )
    feature = raw.get("feature_idx")
    if not isinstance(feature, int) or isinstance(feature, bool) or not 0 <= feature < sizes[slug]:
        _refuse(
            "'feature_idx' is missing" if feature is None else f"there is no feature {_shown(feature)}",
            f"features of {slug!r} are whole numbers from 0 to {sizes[slug] - 1}",
        )
    text = _text(raw, "text", MAX_TEXT)
    if text is None:
        _refuse("'text' is missing", KEYS["text"])
    return slug, feature, _columns(text, raw)


def _columns(text: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The columns of `schema.EXPLANATIONS` but for the feature, optional ones filled in."""
    score = _score(raw.get("score"))
    score_name = _text(raw, "score_name", MAX_SHORT) or "score"
    return {
        "text": text,
        "method": _text(raw, "method", MAX_SHORT) or "explanations file",
        "score": score,
        "score_name": "" if score is None else score_name,
    }


def _parse(line: bytes) -> dict[str, Any]:
    """The line as a JSON object; `InputError` for anything else, bombs included."""
    if len(line) > _MAX_LINE:
        _refuse(f"the line has {len(line):,} bytes", f"at most {_MAX_LINE:,}")
    try:
        raw = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        _refuse(f"the line is not UTF-8 (byte {error.start + 1})", "save the file as UTF-8")
    except RecursionError:
        _refuse("the JSON is nested too deeply")
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        _refuse(f"not JSON: {reason}", _EXAMPLE)
    if not isinstance(raw, dict):
        _refuse(f"a JSON object was expected, not {_shown(raw)}")
    return raw


def _text(raw: dict[str, Any], key: str, longest: int) -> str | None:
    """The non-empty text under `key`, or None when there is none."""
    value = raw.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        _refuse(f"{key!r} is {_shown(value)}", f"{key!r} is text and not empty")
    if len(value) > longest:
        _refuse(f"{key!r} has {len(value):,} characters", f"at most {longest:,}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        _refuse(f"{key!r} holds half a surrogate pair, which is no character", "write it out as UTF-8")
    return value


def _score(value: Any) -> float | None:
    """A score in 0..1, or None when there is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        _refuse(f"'score' is {_shown(value)}", "a score is a number between 0 and 1")
    return float(value)


def _shown(value: Any) -> str:
    """`value` as it was typed, in at most `_MAX_SHOWN` characters."""
    typed = json.dumps(value)
    return typed if len(typed) <= _MAX_SHOWN else typed[: _MAX_SHOWN - 1] + "…"


def _refuse_constant(name: str) -> NoReturn:
    _refuse(f"{name} is not JSON")


def _refuse(what: str, fix: str = "") -> NoReturn:
    raise InputError(what, fix=fix)
