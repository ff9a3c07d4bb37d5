import pytest

from keras_manifold._progress import progress_bar


@pytest.mark.parametrize(
    ("total", "verbose", "is_shown"),
    [
        (9, "auto", False),
        (10, "auto", True),
        (None, "auto", True),
        (99, 0, False),
        (1, 1, True),
    ],
    ids=["few", "many", "unknown", "silent", "asked for"],
)
def test_a_bar_is_shown_where_asked_for_or_where_there_is_much(
    total, verbose, is_shown, capsys
):
    show = progress_bar(total, "pair", verbose=verbose, many=10)
    show(1, finalize=True)
    assert bool(capsys.readouterr().out) == is_shown
