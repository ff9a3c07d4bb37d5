"""Streams of batches, arrays that grow, files that are whole or not there, locks."""
