"""The pages that run the model in the browser; a site has them where its dataset holds the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from atlas.render.contexts import ContrastPage, SteerPage, TestPage
from atlas.render.frames import MODEL_PAGES
from atlas.render.numbers import decimal, exact, integer, percent
from atlas.render.views import Link, ModelSection, ModelView, ReportFigure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.render.frames import Frames
    from atlas.store.browser_model import GatePayload, ModelPayload

_PRECISIONS = {
    "fp32": "Weights are stored as the original has them, in 32 bits",
    "fp16": "Weights are stored in 16 bits",
    "int8": "Weights are stored in 8 bits, with a scale per block of 32",
}

_COMPARED = "Tokens of the atlas's corpus read by the original model and by the one that a browser loads."
_OVERLAP = "Mean share of each token's 20 strongest features (all, where fewer fire) that both have there."
_RELATIVE = "Median of |difference| / activation over all firings of the original."
_FLIPS = "Features per token that fire in one of the two only, beside the number that fire in the original."
_LARGEST = "Largest |difference| of an activation, divided by the activation where that is above 1."
_SAME = "Share of the contexts compared after which both think the same token most likely."


def model_pages(frames: Frames) -> Iterator[TestPage | ContrastPage | SteerPage]:
    """Testing a text, contrasting two, and steering: all drawn by scripts, with the model in the browser.

    Nothing where the dataset holds no model for browsers.
    """
    if not frames.manifest.browser_model:
        return
    of = f"of {frames.name} on text of your own, in your browser: nothing you type leaves it."
    wants = {
        "test": (TestPage, f"Try the features {of}"),
        "contrast": (ContrastPage, f"Compare the features {of}"),
        "steer": (SteerPage, f"Turn up or silence features {of}"),
    }
    for kind, (page, description) in wants.items():
        head = frames.head(kind, f"{kind}.html", MODEL_PAGES[kind], description)
        yield page(head=head, model=_model_view(frames, kind))


def _model_view(frames: Frames, kind: str) -> ModelView:
    payload = cast("ModelPayload", frames.manifest.browser_model)
    precision = _PRECISIONS.get(payload["precision"], "Weights are stored in another precision")
    return ModelView(
        tabs=tuple(Link(f"{name}.html", label, current=name == kind) for name, label in MODEL_PAGES.items()),
        precision=f"{precision} ({payload['precision']}); all arithmetic is in 32 bits.",
        sections=tuple(
            ModelSection(frames.saes[sae["slug"]], tuple(_figures(sae["gate"]))) for sae in payload["saes"]
        ),
    )


def _figures(gate: GatePayload) -> Iterator[ReportFigure]:
    """The figures by which the build judged the exported model of one SAE."""
    n_tokens = gate["n_tokens"]
    yield ReportFigure("compared on", integer(n_tokens), str(n_tokens), "tokens", _COMPARED)
    for label, value, text, digits, unit, doc in (
        ("top-20 overlap", gate["top_overlap"], decimal, 3, "", _OVERLAP),
        ("relative error", gate["relative_error"], decimal, 2, "median", _RELATIVE),
        ("fire in one only", gate["flips"], decimal, 2, f"of {decimal(gate['l0'], 3)} a token", _FLIPS),
        ("largest error", gate["largest_error"], decimal, 2, "", _LARGEST),
        ("same next token", gate["argmax_agreement"], percent, 3, "", _SAME),
    ):
        yield ReportFigure(label, text(value, digits), exact(value), unit, doc)
