import pytest

from keras_manifold.plot._titles import title_of


@pytest.mark.parametrize(
    ("name", "others", "title"),
    [
        ("loss", [], "loss"),
        ("learning_rate", [], "learning rate"),
        ("contractive_penalty", [], "contractive penalty, mean ‖J‖²"),
        ("tangent_norm", [], "tangent norm, ‖J‖_F"),
        ("tangent_drift", [], "tangent drift, radians"),
        ("grad_norm", [], "grad norm"),
        ("of_decoder_top", ["of_decoder_norm"], "of decoder top"),
        (
            "of_decoder_top",
            ["of_decoder_norm", "of_decoder_dimension"],
            "of decoder top singular value",
        ),
    ],
)
def test_quantities_have_titles(name, others, title):
    assert title_of(name, [name, *others]) == title
