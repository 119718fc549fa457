"""Memory while a site is written: millions of records and arrays that live for one read."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

RARELY = 5_000_000
"""Records from which garbage is looked for: pages leave none, and to look costs a tenth of the time."""

_KEPT = 31 << 20


@contextlib.contextmanager
def steady_memory() -> Iterator[None]:
    """Within it garbage is looked for rarely, and what a read gives back is there for the next one.

    Arrow and numpy then share the C library's heap. Once a large piece has been given back to it, glibc keeps
    up to twice as much for reuse (mallopt(3), "dynamic mmap threshold"); to get it anew from the system at
    every read costs a tenth of the time.
    """
    thresholds, pool = gc.get_threshold(), pa.default_memory_pool()
    gc.set_threshold(RARELY, *thresholds[1:])
    pa.set_memory_pool(pa.system_memory_pool())
    large = np.empty(_KEPT, np.uint8)
    del large
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        gc.set_threshold(*thresholds)
