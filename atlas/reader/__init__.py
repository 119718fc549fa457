"""`atlas.open`: a dataset for reading in Python, and its model for trying texts and steering."""

from atlas.reader.atlas import Atlas, Example, Feature, open_atlas
from atlas.reader.results import Continuation, TextActivations

__all__ = ["Atlas", "Continuation", "Example", "Feature", "TextActivations", "open_atlas"]
