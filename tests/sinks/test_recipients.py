"""Several sinks that get the same."""

import threading

import numpy as np
import pytest

from keras_manifold._storage.snapshots import Drawing, Snapshot
from keras_manifold.plot.lines import spectrum
from keras_manifold.sinks import DirectorySink
from keras_manifold.sinks._recipients import Recipients


class Keeping:
    def __init__(self):
        self.told = []

    def __call__(self, *arguments):
        self.told.append(arguments)

    def close(self):
        self.told.append("close")


def test_none_at_first_and_none_once_closed():
    recipients, sink = Recipients(), Keeping()
    assert len(recipients) == 0
    recipients.open([sink])
    assert len(recipients) == 1
    assert sink in recipients
    assert Keeping() not in recipients
    recipients.close()
    recipients.close()
    recipients.put("a", 1.0, 1)
    assert len(recipients) == 0
    assert sink.told == ["close"]


def test_a_sink_that_cannot_be_made_closes_those_before():
    def sinks():
        yield sink
        raise OSError("mine")

    recipients, sink = Recipients(), Keeping()
    with pytest.raises(OSError, match="mine"):
        recipients.open(sinks())
    assert sink.told == ["close"]
    assert len(recipients) == 0


def test_all_of_a_snapshot_goes_to_all_and_drawings_as_one_figure():
    recipients, sinks = Recipients(), [Keeping(), Keeping()]
    recipients.open(sinks)
    figure, arrays = spectrum([2.0, 1.0]), {"a": np.ones(2)}
    drawings = {"figure": Drawing(lambda: figure)}
    recipients.put_all(Snapshot("arrays", 3, arrays, drawings, {"number": 0.5}))
    expected = [("arrays", arrays, 3), ("figure", figure, 3), ("number", 0.5, 3)]
    assert sinks[0].told == sinks[1].told == expected


def test_folders_alone_draw_for_themselves(tmp_path):
    recipients, made = Recipients(), []
    sink = DirectorySink(tmp_path)
    recipients.open([sink])
    recipients.begin(0)

    def make():
        made.append(threading.current_thread())
        return spectrum([2.0, 1.0])

    recipients.put_all(Snapshot("arrays", 3, drawings={"figure": Drawing(make)}))
    recipients.close()
    assert len(made) == 1
    assert made[0] is not threading.current_thread()
    assert (tmp_path / "figure_0003.png").exists()
