"""How much is held at a time: entries of Jacobians, samples in a pass."""

# Entries of Jacobians that are held at a time, where they are not the result.
ENTRIES_HELD = 2**25

# With fewer samples a pass is bound by overhead, not by arithmetic.
_SAMPLES_IN_A_PASS = 64


def samples_held(entries: int) -> int:
    """Samples that are computed at once.

    Args:
        entries: What is held of each.
    """
    return max(1, ENTRIES_HELD // entries)


def passes_at_once(samples: int | None, passes: int) -> int:
    """Passes that run as one, so that it is long enough for the arithmetic to count.

    Args:
        samples: In a batch; `None` where that is not known.
        passes: All that are to be made, at least 1.
    """
    return min(max(1, _SAMPLES_IN_A_PASS // (samples or passes)), passes)
