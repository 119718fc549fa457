"""The one pass over the corpus: forward, encode, count."""
