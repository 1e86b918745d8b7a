"""What every training method has to do: take a step, save, resume, say how many images it runs."""

import keras
import numpy as np
import pytest
from method_helpers import HEATMAP, KEYPOINTS, KINDS, TENSORFLOW, dots, numpy, small_network

from keras_shr.errors import KerasShrError
from keras_shr.methods import METHODS, build_method
from keras_shr.models import PairedHeatmapModel

# Of the ten kinds two are quick; the stability trainings have kinds of their own.
COMMON = {"seed": 3}


def build(name, network=None, **common):
    quick = {} if "perturbations" in METHODS[name].options else {"perturbations": KINDS}
    quick |= {"steps": 2} if name == "at" else {}
    return build_method(name, network or small_network(norm=True), **COMMON | quick | common)


# The others are options of models that have tests of their own.
QUICK = {"at", "augmix", "lip", "pg"}


def names():
    return [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in METHODS]


def test_descriptions():
    for name, method in METHODS.items():
        assert method.name == name
        assert method.title
        assert method.source
        assert method.paired == (method.views > 1)
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("name", names())
def test_it_trains_saves_and_goes_on(name, tmp_path, monkeypatch):
    """A step changes the weights and runs as many images as said; a saved model goes on alike."""
    images, keypoints = dots(4)
    model = build(name)
    assert model.paired == METHODS[name].paired
    assert model.views == METHODS[name].views
    seen, forward = [], model.output_maps

    def spy(logits, training=False):
        seen.append(logits.shape[0])
        return forward(logits, training)

    model.compile(keras.optimizers.SGD(1e-3), metrics=[], run_eagerly=TENSORFLOW)
    before = [numpy(v) for v in model.trainable_variables]
    with monkeypatch.context() as patch:
        patch.setattr(model, "output_maps", spy)
        logs = model.train_on_batch(images, keypoints, return_dict=True)
    after = [numpy(v) for v in model.trainable_variables]
    assert np.isfinite(list(logs.values())).all()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    assert seen[-1] == 4 * METHODS[name].views
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.training_config() == model.training_config()
    again.run_eagerly = TENSORFLOW
    logs = [m.train_on_batch(images, keypoints, return_dict=True) for m in (model, again)]
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=1e-5)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-3, atol=1e-5)
    assert model.predict_keypoints(images).shape == (4, KEYPOINTS, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(QUICK))
def test_compiled_by_xla_it_trains_alike(name):
    """With the last batch smaller than the others, as `fit` on arrays has it."""
    images, keypoints = dots(6)
    losses = []
    for jit in (False, True):
        keras.utils.set_random_seed(3)
        model = build(name, augmentation={})
        model.compile(keras.optimizers.SGD(1e-3), metrics=[], jit_compile=jit)
        history = model.fit(images, keypoints, batch_size=4, epochs=2, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)


def test_variants_are_what_they_say():
    network = small_network()

    def parts(name):
        model = build_method(name, network)
        return model.target == "highly_differentiated", model.rcc, model.stability

    assert parts("baseline") == parts("supervised") == (False, None, None)
    assert parts("rcc") == (False, "row_column", None)
    assert parts("hdhr") == (True, None, None)
    assert parts("mst") == (False, None, "mst")
    assert parts("rcc_hdhr") == (True, "row_column", None)
    assert parts("hdhr_mst") == (True, None, "mst")
    assert parts("paper") == parts("paper_supervised") == (True, "row_column", "mst")
    assert parts("symmetric") == (True, "symmetric", "mst")
    assert parts("st_g") == parts("st_a") == (False, None, "st")
    for name in ("at", "augmix", "augmix_no_jsd", "lip", "pg"):
        assert parts(name) == (False, None, None)
    both = {n for n in METHODS if build_method(n, network).supervise_perturbed}
    assert both == {"supervised", "paper_supervised", "ours"}
    assert build_method("st_g", network).perturbations == ("gaussian_noise",)
    assert len(build_method("st_a", network).perturbations) == 10
    plain = PairedHeatmapModel(network, name="ours").training_config()
    assert build_method("ours", network, name="ours").training_config() == plain


@pytest.mark.parametrize("name", ["st_g", "st_a"])
def test_stability_training_by_hand(name):
    """Supervision of the clean map alone, and a tenth of the norm of the difference."""
    maps = np.zeros((2, HEATMAP, HEATMAP, KEYPOINTS), "float32")  # clean, perturbed
    maps[0, 3, :2, 0], maps[1, 3, :2, 0] = (1.0, 0.5), (0.8, 0.9)
    keypoints = dots(1)[1]
    keypoints[0, 1, 2] = 0
    model = build_method(name, small_network())
    assert model.stability_weight == 0.1
    labels = {"keypoints": keypoints, "stability_weight": model.stability_weight}
    with keras.StatelessScope():
        found = float(model.compute_loss(None, labels, model.output_maps(maps, training=True)))
    error = maps[0, ..., 0] - numpy(model.targets(keypoints))[0, ..., 0]
    supervision = 1000 * np.mean(error.astype("float64") ** 2)
    assert found == pytest.approx(supervision + 0.1 * np.sqrt(0.20), rel=1e-5)


def test_numbers_may_be_changed_and_definitions_not():
    network = small_network()
    assert build_method("st_a", network, stability_weight=0.5).stability_weight == 0.5
    with pytest.raises(KerasShrError, match="method st_g is defined by perturbations="):
        build_method("st_g", network, perturbations=("snow",))
    with pytest.raises(KerasShrError, match="method ours is defined by stability='mst'; leave"):
        build_method("ours", network, stability=None)
    with pytest.raises(KerasShrError, match="no method 'sota'; there are baseline"):
        build_method("sota", network)


@pytest.mark.parametrize("name", ["at", "lip"])
def test_a_network_of_whole_numbers_has_no_gradient(name):
    images = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    network = keras.Model(images, keras.layers.Conv2D(3, 3, 4, padding="same")(x))
    with pytest.raises(KerasShrError, match="is uint8, so that its answer has no gradient"):
        build_method(name, network)
    build_method("ours", network)
