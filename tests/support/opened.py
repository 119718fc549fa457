"""What tests of the elements know of the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FEATURES = 160
"""Features per SAE of the rendered test site; number 3 is dead."""

ROWS_PER_SHARD = 64
"""Rows of the feature table per data file of a column."""

ROWS_PER_TITLE_SHARD = 16
"""Rows per data file of titles."""

POINTS_PER_PART = 64
"""Points per data file of a map: it has three."""

READY = {
    r"alpha/\d+/\d+\.html": "atlas-feature",
    r"alpha/index\.html": "atlas-feature-table",
    r"map\.html": "atlas-map",
    r"search\.html": "atlas-search-page",
    r"test\.html": "atlas-test-page",
    r"contrast\.html": "atlas-contrast-page",
    r"steer\.html": "atlas-steer-page",
}
"""Pattern of the beginning of a path → the element that sets `data-ready` there once its data is shown."""

Open = Callable[..., Any]
"""`show("alpha/0/5.html", size=…)` → the opened page."""
