"""Ways to run a language model up to a hook."""
