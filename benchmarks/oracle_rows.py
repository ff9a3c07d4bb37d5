"""Rows of the table of oracles: who is how far from a closed form."""

import numpy as np

ORACLES = []


class Oracle:
    """A row of the table: a quantity, its closed form, and who is how far from it."""

    def __init__(self, function, quantity, case, closed_form, peers):
        self.function = function
        self.quantity = quantity
        self.case = case
        self.closed_form = closed_form
        self.peers = peers

    def measured(self):
        return float(self.function(np.random.default_rng(0)))

    def peers_cell(self):
        return "; ".join(map(error_of_peer, self.peers)) or "none found"


def error_of_peer(peer):
    try:
        error = f"{peer(np.random.default_rng(0)):.1e}"
    except ModuleNotFoundError:
        error = "not installed"
    except Exception as problem:  # a peer's own: part of what is found
        error = f"failed ({type(problem).__name__})"
    return f"{error}, {peer.__doc__.rstrip('.')}"


def oracle(quantity, *, case, closed_form, peers=()):
    """Makes a row of a function of a random generator that returns our error.

    Args:
        quantity: Name of ours, in backticks.
        case: Where it is known, in a few words.
        closed_form: The formula, in `$...$`.
        peers: Functions of a random generator that return the error of another package on
            the same case; their docstrings are the package and the call.
    """

    def add(function):
        ORACLES.append(Oracle(function, quantity, case, closed_form, peers))
        return function

    return add


def largest(found, expected):
    """The largest error, relative to the largest true value."""
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()
