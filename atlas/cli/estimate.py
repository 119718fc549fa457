"""The answer of `atlas build --dry-run`, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.cli.progress import duration

if TYPE_CHECKING:
    from atlas.pipeline.estimate import Estimate
    from atlas.pipeline.modelsize import ModelSize

_OVER = "over render.site_budget: the build would be refused"
_SHORTENED = "over render.site_budget: the site would hold fewer and shorter examples"
_STEPS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def size(count: float) -> str:
    """`count` bytes for people: '870 bytes', '1.2 MB', '23 GB'."""
    for unit, name in _STEPS:
        # A number that three digits would round up to the next unit belongs there.
        if count >= 0.9995 * unit:
            return f"{count / unit:.3g} {name}" if count < 999.5 * unit else f"{count / unit:,.0f} {name}"
    return f"{count:,.0f} bytes"


def estimate_text(found: Estimate, data: str, site: str) -> str:
    """Lines of 'what: how much' for a build into the folders `data` and `site`."""
    stages = ", ".join(f"{name} {duration(round(seconds))}" for name, seconds in found.seconds.items())
    budget = "all of the corpus" if found.whole_corpus else "the budget"
    rows = [
        ("features", f"{found.features:,}"),
        ("tokens", f"{found.tokens:,} ({budget}), {found.tokens_per_second:,.0f} a second"),
        ("time", f"about {duration(round(sum(found.seconds.values())))} ({stages})"),
        ("memory", f"at least {size(found.memory_bytes)}" if found.memory_bytes else "not known"),
        ("dataset", f"about {size(found.data_bytes)} in {data}"),
        (
            "site",
            f"about {size(found.written_bytes)}, {found.pages:,} pages, {found.files:,} files in {site}",
        ),
        *_model(found.model),
        ("hosts", found.exceeded[0] if found.exceeded else "no limit of the usual static hosts is exceeded"),
        *(("", line) for line in found.exceeded[1:]),
        *((("budget", _OVER),) if found.over_budget else ()),
        *((("budget", _SHORTENED),) if found.shortened else ()),
        *(("note", line) for line in found.notes),
    ]
    return "\n".join(f"{name:<9} {text}" for name, text in rows)


def _model(found: ModelSize) -> list[tuple[str, str]]:
    """The row of the model for browsers; none without it."""
    if not found.site:
        return []
    return [("model", f"{size(found.site)} of the site, stored in {found.precision}, for readers' browsers")]
