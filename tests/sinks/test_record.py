"""Rows of numbers in a CSV file, read by Python's own reader."""

import csv
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_manifold.sinks._record import Record


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_step_is_a_row_and_a_number_it_lacks_an_empty_cell(tmp_path):
    record = Record(tmp_path / "a.csv")
    for name, value, step in [("b", 2.5, 12), ("a", 0.1, 3), ("b", 1.0, 3), ("a", 0.2, 3)]:
        record.put(name, value, step)
    record.write()
    assert rows(tmp_path / "a.csv") == [
        {"step": "3", "b": "1.0", "a": "0.2"},
        {"step": "12", "b": "2.5", "a": ""},
    ]
    assert os.listdir(tmp_path) == ["a.csv"]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b,c", 'd "e"', "ü"]), st.integers(0, 9)),
        st.floats(allow_nan=False),
        min_size=1,
    )
)
def test_numbers_are_read_as_they_were_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("record") / "a.csv"
    record = Record(path)
    for (name, step), value in values.items():
        record.put(name, value, step)
    record.write()
    again = Record(path)
    again.read()
    found = {
        (name, step): float(text)
        for step, row in again.rows.items()
        for name, text in row.items()
    }
    assert found == values
    assert again.as_text() == record.as_text() == path.read_text(encoding="utf-8")


def test_no_file_is_no_rows_and_reading_forgets_those_at_hand(tmp_path):
    record = Record(tmp_path / "a.csv")
    record.put("a", 1.0, 1)
    record.read()
    assert record.rows == {}
    assert record.last_epoch() == 0
    assert record.columns(["a"]) == {"step": []}
    assert record.as_text() == "step\n"


@pytest.mark.parametrize("text", ["", "time,a\n1,2\n", "a,step\n1,2\n", "notes\n"])
def test_a_file_of_another_kind_is_refused_and_left_alone(text, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"first column is `step`.*Move it away"):
        Record(path).read()
    assert path.read_text() == text


def test_later_steps_can_be_dropped(tmp_path):
    record = Record(tmp_path / "a.csv")
    for step in (4, 0, 10, 2):
        record.put("a", float(step), step)
    record.drop_after(2)
    assert record.columns(["a"]) == {"step": [0, 2], "a": [0.0, 2.0]}


def test_epochs_are_steps_unless_a_row_says_which_it_is(tmp_path):
    record = Record(tmp_path / "a.csv")
    record.put("loss", 1.0, 7)
    assert record.last_epoch() == record.epoch_at(7) == 7
    record.put("epoch", 2, 7)
    assert record.last_epoch() == record.epoch_at(7) == 2


def test_columns_hold_the_rows_with_any_of_the_names(tmp_path):
    record = Record(tmp_path / "a.csv")
    for name, step in [("a", 2), ("b", 1), ("c", 3), ("b", 2)]:
        record.put(name, float(step), step)
    found = record.columns(["a", "b", "never"])
    assert list(found) == ["step", "a", "b"]
    assert (found["step"], found["b"]) == ([1, 2], [1.0, 2.0])
    assert math.isnan(found["a"][0])
    assert found["a"][1] == 2.0


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    record = Record(tmp_path / "a.csv")
    record.put("a", 1.0, 1)
    record.write()
    before = record.path.read_bytes()
    record.put("a", 2.0, 2)

    def full(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        record.write()
    assert record.path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    "content",
    [
        b"step,loss\n0,1.0\n\xff\xfe\n",
        "step,loss\n0,1.0\n".encode("utf-16"),
        b"step,loss\n0,1.0\nx,2.0\n",
        b"step,loss\n0,many\n",
        b"step,loss\n0,1.0,2.0\n",
        b'step,loss\n0,"1.0\n',
        b"",
    ],
)
def test_files_of_others_are_refused_by_name(content, tmp_path):
    path = tmp_path / "run_scalars.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run_scalars\.csv must be a file that an"):
        Record(path).read()
