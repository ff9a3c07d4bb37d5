import numpy as np
import pytest

import keras_manifold as km


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [
        (km.NoiseInjection("gaussian", 0.1, seed=1), "kind", "masking"),
        (km.NoiseInjection("gaussian", 0.1, seed=1), "seed", 2),
        (km.ContractivePenalty(0.1), "probes", "exact"),
        (km.ContractivePenalty(0.1), "of", "decoder"),
        (km.ContractivePenalty(0.1), "curvature", 0.5),
        (km.ContractivePenalty(0.1, seed=1), "seed", None),
    ],
)
def test_what_only_the_compilation_reads_can_not_be_changed(layer, name, value):
    before = getattr(layer, name)
    setattr(layer, name, before)
    with pytest.raises(ValueError, match=f"`{name}` can't be changed .* Received: {name}="):
        setattr(layer, name, value)
    assert getattr(layer, name) == before


def test_what_may_be_changed_is_checked_first():
    noise = km.NoiseInjection("masking", 0.5, clip=(0, 1))
    with pytest.raises(ValueError, match=r"`level` must be in \[0, 1\].*level=2"):
        noise.level = 2
    with pytest.raises(ValueError, match=r"low < high.*clip=\(1, 0\)"):
        noise.clip = (1, 0)
    assert (noise.level, noise.clip) == (0.5, (0.0, 1.0))
    noise.level, noise.clip = np.float32(0.25), None
    assert (noise.level, noise.clip) == (0.25, None)
    assert noise.get_config()["level"] == 0.25
