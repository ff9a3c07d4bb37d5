"""What the tests and the examples in docstrings begin with alike."""

import pytest


@pytest.fixture(autouse=True)
def _fixed_seed():
    # Here, as tests/conftest.py sets what frameworks read when they are imported.
    import keras

    keras.utils.set_random_seed(0)
