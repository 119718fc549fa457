"""All journeys, in the order of what a site offers."""

from __future__ import annotations

from tests.walk import (
    browse,
    citing,
    contrast,
    examples,
    feature,
    frame,
    lists,
    map,  # noqa: A004 - a page kind
    models,
    search,
    steer,
)
from tests.walk.walk import JOURNEYS, Journey

PAGE_KINDS = (frame, feature, examples, citing, browse, map, search, lists, models, contrast, steer)
"""The modules that register journeys."""

__all__ = ["JOURNEYS", "PAGE_KINDS", "Journey"]
