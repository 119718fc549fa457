"""Stages after the pass: what follows from the weights and the tables."""
