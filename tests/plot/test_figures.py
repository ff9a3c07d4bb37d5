import numpy as np

from keras_manifold.plot._figures import figure_of_size


def test_a_figure_has_its_size_and_title():
    figure = figure_of_size(3, 2, "A title")
    np.testing.assert_array_equal(figure.get_size_inches(), [3, 2])
    assert figure.get_suptitle() == "A title"
    assert figure_of_size(3, 2, None).get_suptitle() == ""
