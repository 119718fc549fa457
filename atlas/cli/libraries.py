"""Keeping the libraries that a build uses from talking over its progress."""

from __future__ import annotations

import logging
import os
import warnings

QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "true",
}
"""Environment variables set unless the user set them: fewer notes, and nothing reported to anybody."""


def quiet_libraries() -> None:
    """Mute notes that are for programmers; call it before the libraries are imported.

    A user who asks for warnings (`python -W`, PYTHONWARNINGS) still gets them.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "PYTHONWARNINGS" not in os.environ:
        warnings.simplefilter("ignore")
    for name in ("transformers", "sae_lens", "transformer_lens", "datasets", "numba"):
        logging.getLogger(name).setLevel(logging.ERROR)
