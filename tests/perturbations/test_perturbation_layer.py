"""RandomPerturbation as a Keras layer."""

import keras
import numpy as np
import pytest
from perturbation_oracles import picture

import keras_shr
from keras_shr.errors import KerasShrError
from keras_shr.layers.kind_perturbations import KindPerturbation
from keras_shr.layers.random_perturbation import RandomPerturbation
from keras_shr.perturbations import ALL_PERTURBATIONS, EVALUATION_PERTURBATIONS

QUICK = ("brightness", "contrast", "gaussian_noise")
TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture
def images():
    return np.stack([picture(32, 40, seed=i) for i in range(4)])


def test_active_in_training_only(images):
    layer = RandomPerturbation(QUICK, seed=1)
    np.testing.assert_array_equal(np.asarray(layer(images)), images)
    first = np.asarray(layer(images, training=True))
    assert (first != images).any(axis=(1, 2, 3)).all()
    assert (first != np.asarray(layer(images, training=True))).any()
    assert first.dtype == np.uint8


def test_same_seed_same_pictures(images):
    results = [np.asarray(RandomPerturbation(QUICK, seed=5)(images, training=True)) for _ in "ab"]
    np.testing.assert_array_equal(*results)
    layer, seed = RandomPerturbation(QUICK), np.array([3, 4], "uint32")
    results = [np.asarray(layer(images, training=True, seed=seed)) for _ in "ab"]
    np.testing.assert_array_equal(*results)


def test_round_trip_through_its_config():
    layer = RandomPerturbation(("snow", "frost"), severities=(2, 3), seed=7, name="shake")
    again = RandomPerturbation.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    config = keras.saving.serialize_keras_object(layer)
    assert keras.saving.deserialize_keras_object(config).perturbations == ("snow", "frost")


def test_unseen_kinds_are_refused():
    with pytest.raises(KerasShrError, match=r"spatter.*unseen"):
        RandomPerturbation(("snow", "spatter"))


def test_unseen_kinds_by_force(images):
    layer = RandomPerturbation(("saturate", "speckle_noise"), severities=(4,), force=True, seed=1)
    result = np.asarray(layer(images, training=True))
    assert (result != images).any(axis=(1, 2, 3)).all()
    again = RandomPerturbation.from_config(layer.get_config())
    np.testing.assert_array_equal(np.asarray(again(images, training=True)), result)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_grey_levels_are_not_rounded(policy, images):
    layer = RandomPerturbation(("contrast",), severities=(1,), seed=0, dtype=policy)
    result = layer(images.astype("float32"), training=True)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    expected = RandomPerturbation(("contrast",), severities=(1,), seed=0)(
        images.astype("float32"), training=True
    )
    np.testing.assert_array_equal(np.asarray(result), np.asarray(expected))


def test_symbolic_shape_is_kept():
    symbolic = keras.Input((64, 48, 3), dtype="uint8")
    output = RandomPerturbation()(symbolic)
    assert output.shape == (None, 64, 48, 3)
    assert output.dtype == "uint8"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saving
def test_fit_in_a_sequential_model(images, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((32, 40, 3)),
            RandomPerturbation(QUICK, seed=2),
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    x, y = images.astype("float32"), np.ones((4, 1), "float32")
    history = model.fit(x, y, batch_size=3, epochs=2, verbose=0)  # batches of 3 and 1
    assert np.isfinite(history.history["loss"]).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data runs TensorFlow operations")
def test_in_tf_data(images):
    import tensorflow as tf

    layer = RandomPerturbation(QUICK, seed=3)
    dataset = tf.data.Dataset.from_tensor_slices(images)
    single = dataset.map(lambda x: layer(x, training=True))
    assert single.element_spec.shape == (32, 40, 3)
    batched = dataset.batch(2).map(lambda x: layer(x, training=True))
    for result in (np.stack(list(single.as_numpy_iterator())), *batched.as_numpy_iterator()):
        assert result.dtype == np.uint8
        assert (result != images[: len(result)]).any(axis=(1, 2, 3)).all()


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data runs TensorFlow operations")
@pytest.mark.parametrize(
    "chosen", [QUICK, ("gaussian_blur", "saturate", "spatter", "speckle_noise")], ids=str
)
def test_tf_data_gives_what_eager_gives(images, chosen):
    import tensorflow as tf

    from keras_shr.perturbations import perturb

    seed = np.array([1, 2], "uint32")
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(4)
    mapped = next(
        iter(dataset.map(lambda x: perturb(x, seed, chosen, force=True)).as_numpy_iterator())
    )
    eager = np.asarray(perturb(images, seed, chosen, force=True))
    assert np.abs(mapped.astype(int) - eager).max() <= 1


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data runs TensorFlow operations")
def test_own_seeds_in_a_parallel_tf_data(images):
    """As the layer's docstring has it: the same pictures in any order of the calls."""
    import tensorflow as tf

    layer = RandomPerturbation(("gaussian_noise",))
    dataset = tf.data.Dataset.from_tensors(images[0]).repeat(24).enumerate()

    def shaken(**options):
        mapped = dataset.map(
            lambda i, x: layer(x, training=True, seed=tf.stack([tf.constant(7, i.dtype), i])),
            **options,
        )
        return np.stack(list(mapped.as_numpy_iterator()))

    expected = shaken()
    assert len(np.unique(expected.reshape(24, -1), axis=0)) == 24
    np.testing.assert_array_equal(shaken(num_parallel_calls=8), expected)


KINDS = {
    layer.kind: layer
    for layer in vars(keras_shr.layers).values()
    if isinstance(layer, type) and issubclass(layer, KindPerturbation)
}


def test_there_is_a_layer_for_each_kind():
    assert set(KINDS) == set(ALL_PERTURBATIONS)


@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_a_kind_s_layer(kind, images):
    """It does what `RandomPerturbation` does with that kind alone, and survives its config."""
    unseen = kind in EVALUATION_PERTURBATIONS
    if unseen:
        with pytest.raises(KerasShrError, match=f"{kind}.*unseen"):
            KINDS[kind]()
    layer = KINDS[kind](severities=(4,), force=unseen, seed=2)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is KINDS[kind]
    assert again.get_config() == layer.get_config()
    general = RandomPerturbation((kind,), severities=(4,), force=unseen, seed=2)
    perturbed = np.asarray(layer(images, training=True))
    np.testing.assert_array_equal(perturbed, np.asarray(general(images, training=True)))
    assert (perturbed != images).any()


def test_shares_of_255_are_refused_where_they_are_seen():
    layer = RandomPerturbation(("contrast",), seed=1)
    shares = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")
    with pytest.raises(KerasShrError, match=r"expected 0\.\.255: perturb before rescaling"):
        layer(shares, training=True)
    layer(shares, training=False)
    layer(np.ones((2, 32, 32, 3), "float32"), training=True)  # a very dark picture
    layer(255 * shares, training=True)
