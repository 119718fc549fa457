"""Readers of SAE formats."""
