"""Kinds of text an atlas can be built over."""
