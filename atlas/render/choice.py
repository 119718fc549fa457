"""Which examples a site shows: as configured, or fewer and shorter so that it keeps to its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas.configfile.sizes import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.config import RenderConfig
    from atlas.render.payloads import ChoicePayload

EVERYTHING = 1 << 30
"""A limit that nothing reaches."""


@dataclass(frozen=True)
class Choice:
    """Limits on the examples of one feature."""

    top: int = EVERYTHING
    """Most examples of the group 'top'."""
    others: int = EVERYTHING
    """Most examples of each other group, and of each interval."""
    before: int = EVERYTHING
    """Most tokens before the example's own."""
    after: int = EVERYTHING
    """Most tokens after it."""

    def words(self) -> str:
        """The limits in words, those that limit nothing left out; empty where none does."""
        said: list[str] = []
        if self.top < EVERYTHING:
            said.append(f"the {self.top} strongest examples of each feature")
        if self.others < EVERYTHING:
            said.append(f"{self.others} of each other group and interval")
        if self.before < EVERYTHING:
            said.append(
                f"windows of at most {self.before} tokens before the example's own and {self.after} after it"
            )
        return ", ".join(said)


SHORTER = (
    (20, EVERYTHING, 24, 16),
    (20, 10, 20, 12),
    (15, 8, 16, 12),
    (15, 6, 16, 10),
    (12, 5, 14, 10),
    (10, 4, 12, 8),
    (10, 3, 12, 8),
    (8, 3, 10, 7),
    (8, 2, 10, 6),
    (6, 2, 8, 6),
    (5, 1, 8, 5),
    (4, 1, 6, 4),
    (3, 1, 5, 3),
)
"""What is tried in turn where a budget is too small: the limits of `Choice`, each below the one before."""


LEAST = Choice(*SHORTER[-1])
"""The least that a budget may come to."""


def configured(config: RenderConfig) -> Choice:
    """What `config` asks for, whatever it weighs."""
    return Choice(top=config.examples_per_feature)


def choices(config: RenderConfig) -> Iterator[Choice]:
    """What may be shown under a budget, most first; none of it is more than `config` asks for."""
    first = configured(config)
    yield first
    for top, others, before, after in SHORTER:
        yield Choice(min(first.top, top), others, before, after)


def budget_bytes(config: RenderConfig) -> int:
    """The largest size of the site in bytes; 0 where none is set."""
    return 0 if config.site_budget is None else parse_size(config.site_budget)


def shown_words(choice: Choice, config: RenderConfig) -> str:
    """What the site holds of the dataset's examples, in a sentence; empty where it holds all."""
    words = choice.words()
    if not words:
        return ""
    why = f", which keeps it below {config.site_budget}" if choice != configured(config) else ""
    return f"This site holds {words}{why}. The dataset holds them all, whole."


def choice_payload(choice: Choice, config: RenderConfig) -> ChoicePayload:
    """What scripts may say of the choice."""
    return {
        "budget": budget_bytes(config),
        "fitted": choice != configured(config),
        "top": choice.top,
        "others": choice.others,
        "before": choice.before,
        "after": choice.after,
    }
