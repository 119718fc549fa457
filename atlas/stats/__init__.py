"""Mergeable statistics of the pass, one a file, registered as `atlas.statistics`."""
