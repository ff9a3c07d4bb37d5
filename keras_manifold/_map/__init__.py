"""A user's function of each sample on its own, and what its derivative does."""
