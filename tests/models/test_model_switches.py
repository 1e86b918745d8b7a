"""Every combination of target, RCC, stability, supervision and perturbation trains."""

import itertools

import keras
import numpy as np
import pytest
from model_helpers import compiled, numpy, tiny_model, tiny_network

from tests.dots import pictures


def combinations():
    """All 72, of which the quick tests run every seventh: each value of each switch is in it."""
    switches = itertools.product(
        ("gaussian", "highly_differentiated"),
        (None, "row_column", "symmetric"),
        (None, "mst", "st"),
        (True, False),
        (None, ("contrast",)),
    )
    for i, values in enumerate(switches):
        yield pytest.param(*values, marks=() if i % 7 == 0 else pytest.mark.slow)


@pytest.mark.parametrize(("target", "rcc", "stability", "supervise", "kinds"), list(combinations()))
def test_every_combination_takes_a_step(target, rcc, stability, supervise, kinds, monkeypatch):
    images, keypoints = pictures(2)
    model = tiny_model(
        tiny_network(filters=2),
        target=target,
        rcc=rcc,
        stability=stability,
        supervise_perturbed=supervise,
        perturbations=kinds,
        augmentation=None,
    )
    seen, forward = [], model.output_maps

    def spy(logits, training=False):
        seen.append(logits.shape[0])
        return forward(logits, training)

    monkeypatch.setattr(model, "output_maps", spy)
    compiled(model, optimizer=keras.optimizers.SGD(1e-3), metrics=[])
    before = [numpy(v) for v in model.trainable_variables]
    logs = model.train_on_batch(images, keypoints, return_dict=True)
    after = [numpy(v) for v in model.trainable_variables]
    assert np.isfinite(list(logs.values())).all()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    paired = kinds is not None and (supervise or stability is not None)
    assert seen[-1] == (4 if paired else 2)
    assert (logs["stability"] > 0) == (paired and stability is not None)


@pytest.mark.parametrize("rcc", ["row_column", "symmetric"])
def test_rcc_in_training_only(rcc):
    images, _ = pictures(2)
    network = tiny_network()
    model = compiled(tiny_model(network, rcc=rcc, rcc_in_inference=False))
    z = numpy(network(images))
    expected = np.exp(z - z.max(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    always = tiny_model(network, rcc=rcc)
    np.testing.assert_allclose(
        numpy(model(images, training=True)), numpy(always(images)), atol=1e-6
    )
    assert not np.allclose(numpy(always(images)), expected, atol=1e-3)
