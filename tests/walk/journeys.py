"""All journeys, in the order of what a site offers."""

from __future__ import annotations

from tests.walk import browse, feature, frame, lists, map, models, search  # noqa: A004 - a page kind
from tests.walk.walk import JOURNEYS, Journey

PAGE_KINDS = (frame, feature, browse, map, search, lists, models)
"""The modules that register journeys."""

__all__ = ["JOURNEYS", "PAGE_KINDS", "Journey"]
