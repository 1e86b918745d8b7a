"""A model around one's own network: what would train on nonsense without a word is refused."""

import keras
import numpy as np
import pytest
from model_helpers import SKELETON, TENSORFLOW, compiled, tiny_model, tiny_network

from keras_shr import metrics
from keras_shr.data import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.layers import RandomKeypointAffine, RowColumnCorrelation
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.skeletons import Skeleton
from tests.dots import SIZE


def ending_in(layer, channels=3):
    inputs = keras.Input((SIZE, SIZE, channels))
    logits = keras.layers.Conv2D(3, 5, 4, padding="same")(inputs)
    return keras.Model(inputs, layer(logits))


ENDINGS = {
    "sigmoid": lambda: ending_in(keras.layers.Conv2D(3, 1, activation="sigmoid")),
    "softmax": lambda: ending_in(keras.layers.Activation("softmax", dtype="float32")),
    "Softmax": lambda: ending_in(keras.layers.Softmax()),
    "Sigmoid": lambda: ending_in(keras.ops.sigmoid),
    "RowColumnCorrelation": lambda: ending_in(RowColumnCorrelation()),
    "relu": lambda: ending_in(
        keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(3, 1, activation="relu")])
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_network_that_ends_in_an_activation_gives_no_logits(ending):
    network = ENDINGS[ending]()
    with pytest.raises(KerasShrError, match=rf"ends in {ending}; .* takes logits"):
        PairedHeatmapModel(network)
    PairedHeatmapModel(network, target="gaussian", rcc=None)  # mean squared error takes any map


def test_a_linear_end_is_one_of_logits():
    for layer in (
        keras.layers.Activation("linear", dtype="float32"),
        keras.layers.Conv2D(3, 1, activation="linear"),
        keras.layers.UpSampling2D(),
    ):
        PairedHeatmapModel(ending_in(layer))


SETTINGS = {
    "seed": ({"seed": None}, "seed is None; expected a whole number"),
    "min_visibility": ({"min_visibility": 3}, "min_visibility is 3; expected 1 .* or 2"),
    "stability_weight": ({"stability_weight": -1.0}, "stability_weight is -1.0"),
    "sigma": ({"target": "gaussian", "target_options": {"sigma": 0}}, "sigma is 0"),
    "threshold": ({"target_options": {"threshold": -1}}, "threshold is -1"),
    "skeleton": ({"skeleton": "hand_21"}, "'hand_21' is not a skeleton"),
    "augmentation": ({"augmentation": "flip"}, "augmentation is 'flip'; expected a Random"),
    "flip_order": ({"augmentation": {"flip_order": [1, 0]}}, "flip_order has 2 keypoints .* 3"),
    "mirrors": (
        {"augmentation": RandomKeypointAffine()},
        r"flip_order=None, but skeleton 'three' has other flip_pairs",
    ),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_are_refused_before_the_first_step(what):
    options, message = SETTINGS[what]
    with pytest.raises(KerasShrError, match=message) as error:
        tiny_model(**options)
    assert "\n" not in str(error.value)


def test_networks_of_other_inputs():
    four = ending_in(keras.layers.Identity(), channels=4)
    with pytest.raises(KerasShrError, match="images of 4 channels; perturbations take 3"):
        PairedHeatmapModel(four)
    PairedHeatmapModel(four, perturbations=None)
    two = [keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))]
    sum_of_two = keras.Model(two, keras.layers.Conv2D(3, 5, 4)(two[0] + two[1]))
    with pytest.raises(KerasShrError, match="has 2 inputs; expected one"):
        PairedHeatmapModel(sum_of_two)
    by_name = {name: keras.layers.Conv2D(3, 5, 4)(two[0]) for name in ("final", "first")}
    with pytest.raises(KerasShrError, match=r"outputs by name \(final, first\); give a list"):
        PairedHeatmapModel(keras.Model(two[0], by_name))


def test_augmentations_that_fit_are_taken():
    fitting = RandomKeypointAffine(flip_order=SKELETON.flip_order)
    assert tiny_model(augmentation=fitting).augmentation is fitting
    tiny_model(augmentation=RandomKeypointAffine(flip=0.0))
    tiny_model(augmentation=RandomKeypointAffine(), skeleton=Skeleton.generic(3))


METRICS = {
    "mae": r"metric 'mae' would take visibility for a coordinate",
    "accuracy": r"metric 'accuracy' would take",
    keras.metrics.MeanSquaredError: r"metric 'MeanSquaredError' would take",
    lambda: keras.metrics.mean_squared_error: r"metric 'mean_squared_error' would take",
    metrics.R: r"metric 'R' compares .*RobustnessCallback",
    metrics.RUC: r"metric 'RUC' compares",
    metrics.PeakGap: r"metric 'D_1_2' is one of heatmaps",
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_metrics_of_something_else_are_refused(metric, argument):
    made = metric if isinstance(metric, str) else metric()
    with pytest.raises(KerasShrError, match=METRICS[metric]):
        tiny_model().compile(**{argument: [made]})


def test_metrics_of_keypoints_are_taken(good):
    def nearest(y_true, y_pred):
        return keras.ops.min(keras.ops.abs(y_true - y_pred)[..., :2], axis=(1, 2))

    chosen = [metrics.PCK(5.0), metrics.NME(), metrics.KeypointAUC("hand3d"), nearest]
    history = compiled(tiny_model(), metrics=chosen).fit(*good, verbose=0).history
    assert {"pck", "nme", "auc", "nearest"} <= history.keys()


def test_loss_weights_have_no_effect_and_are_refused():
    with pytest.raises(KerasShrError, match=r"compile\(loss_weights=...\) has no effect"):
        tiny_model().compile(loss_weights=[2.0])


WRONG = {
    "classes": (lambda x, y: ((x, y), {"class_weight": {0: 1.0}}), "no classes; give sample_w"),
    "labels of shares": (
        lambda x, y: ((x, np.concatenate([y[..., :2] / SIZE, y[..., 2:]], -1)), {}),
        "all labelled keypoints lie between 0 and 1; expected x and y in pixels",
    ),
    "weights of fewer images": (
        lambda x, y: ((x, y), {"sample_weight": np.ones(3)}),
        "sample_weight has 3 rows for 4 images; expected one for each",
    ),
    "no weight": (
        lambda x, y: ((x, y), {"sample_weight": np.zeros(4)}),
        "sample_weight is 0 wherever a keypoint is labelled",
    ),
    "weights in a list": (
        lambda x, y: ((x, y), {"sample_weight": [1.0] * 4}),
        "sample_weight are a list; expected one array",
    ),
    "labels in a list": (lambda x, y: ((x, y.tolist()), {}), "keypoints are a list"),
    "labels in a dictionary": (lambda x, y: ((x, {"y": y}), {}), "keypoints are a dict"),
    "pictures in a list": (lambda x, y: ((list(x), y), {}), "images are a list"),
    "pictures in a dictionary": (lambda x, y: (({"x": x}, y), {}), "images are a dict"),
    "no labels": (lambda x, y: ((x,), {}), r"no keypoints \(batch, 3, 3\) beside the images"),
    "KeypointData": (
        lambda x, y: ((KeypointData(x, y, SKELETON),), {}),
        "x is KeypointData; give its images and its keypoints apart",
    ),
    "a generator of shares": (
        lambda x, y: (((pair for pair in [(x / np.float32(255), y)] * 2),), {"steps_per_epoch": 2}),
        r"expected 0\.\.255",
    ),
    "an empty generator": (lambda x, y: (((_ for _ in ()),), {}), "the generator gives no batch"),
    "validation in 0..1": (
        lambda x, y: ((x, y), {"validation_data": (x / np.float32(255), y)}),
        r"validation_data: images are float32 with values up to .*; expected 0\.\.255",
    ),
    "validation of another size": (
        lambda x, y: ((x, y), {"validation_data": (x[:, ::2], y)}),
        r"validation_data: images have shape \(4, 32, 64, 3\)",
    ),
    "validation without a label": (
        lambda x, y: ((x, y), {"validation_data": (x, y * [1, 1, 0], np.ones(4))}),
        "validation_data: of 12 keypoints not one is labelled",
    ),
    "validation by a generator": (
        lambda x, y: ((x, y), {"validation_data": (p for p in [(x, y[:, :1])])}),
        r"validation_data: keypoints have shape \(4, 1, 3\)",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_fit_refuses(model, good, what):
    arguments, options = WRONG[what][0](*good)
    with pytest.raises(KerasShrError, match=WRONG[what][1]) as error:
        model.fit(*arguments, **options, batch_size=None, verbose=0)
    assert "\n" not in str(error.value)


def test_a_generator_loses_no_batch_to_the_check(good):
    seen = []

    class Counting(PairedHeatmapModel):
        def make_pairs(self, data, step):
            seen.append(float(keras.ops.mean(keras.ops.cast(data[0], "float32"))))
            return super().make_pairs(data, step)

    model = compiled(Counting(tiny_network(), perturbations=None))
    batches = [(np.full_like(good[0], level), good[1]) for level in (10, 20, 30, 40)]
    options = {"steps_per_epoch": 2, "validation_steps": 1, "verbose": 0, "shuffle": False}
    model.fit((b for b in batches[:2]), validation_data=(b for b in batches[2:]), **options)
    assert seen == [10, 20]


def test_evaluate_and_predict_refuse_pictures_in_0_to_1(model, good):
    shares = good[0] / np.float32(255)
    with pytest.raises(KerasShrError, match=r"expected 0\.\.255"):
        model.evaluate(shares, good[1], verbose=0)
    with pytest.raises(KerasShrError, match=r"expected 0\.\.255"):
        model.predict(shares, verbose=0)
    with pytest.raises(KerasShrError, match="lie between 0 and 1"):
        model.evaluate(good[0], good[1] / np.float32(SIZE), verbose=0)
    model.evaluate(good[0], good[1] * [1, 1, 0], verbose=0)  # nothing has to be learned


def streams(images, keypoints):
    """The ways to give batches one after the other."""
    yield (batch for batch in [(images, keypoints)] * 2)
    if TENSORFLOW:
        import tensorflow as tf

        yield tf.data.Dataset.from_tensors((images, keypoints))


def test_streamed_batches_are_looked_at_too(model, good):
    for stream in streams(good[0], good[1] / np.float32([SIZE, SIZE, 1])):
        with pytest.raises(KerasShrError, match="first batch's labelled keypoints lie between 0"):
            model.fit(stream, steps_per_epoch=1, verbose=0)
    deep = good[0].astype("uint16") * 16
    for stream in streams(deep, good[1]):
        with pytest.raises(KerasShrError, match=r"images are uint16 .* expected 0\.\.255"):
            model.fit(stream, steps_per_epoch=1, verbose=0)


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data")
def test_dictionaries_of_tf_data(model, good):
    import tensorflow as tf

    pairs = tf.data.Dataset.from_tensor_slices(good).batch(2)
    for change, message in (
        (lambda x, y: {"image": x, "keypoints": y}, "no keypoints"),
        (lambda x, y: (x, {"keypoints": y}), "keypoints are a dict"),
        (lambda x, y: ({"image": x}, y), "images are a dict"),
    ):
        with pytest.raises(KerasShrError, match=message):
            model.fit(pairs.map(change), verbose=0)


def features(width=4):
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, keras.layers.Conv2D(width, 3, 8, padding="same")(inputs))


REGRESSORS = {
    "alpha": ({"backbone": features, "alpha": 0.5}, "alpha=0.5 is for a backbone given by name"),
    "weights": ({"backbone": features, "weights": "imagenet"}, "weights='imagenet' is for a back"),
    "subclassed": (
        {"backbone": type("Own", (keras.Model,), {})},
        "backbone <Own .* has no known outputs",
    ),
    "image_size": ({"image_size": 64.5}, "image_size is 64.5; expected pixels"),
    "input_shape": ({"input_shape": (64, 64, 3)}, r"input_shape=\(64, 64, 3\) is not known here"),
    "num_keypoints": ({"num_keypoints": "3"}, "num_keypoints is '3'; expected a whole number"),
    "none": ({"num_keypoints": 0}, "num_keypoints is 0; expected a whole number"),
}


@pytest.mark.parametrize("what", REGRESSORS)
def test_a_regressor_names_what_it_cannot_use(what):
    options, message = REGRESSORS[what]
    options = {k: v() if callable(v) else v for k, v in options.items()}
    with pytest.raises(KerasShrError, match=message):
        StableHeatmapRegressor(**{"num_keypoints": 3, "image_size": SIZE} | options)


def test_sizes_of_numpy():
    size = np.int64(SIZE)
    model = StableHeatmapRegressor(np.int64(3), size, features(), heatmap_stride=8, filters=())
    assert model.image_size == (SIZE, SIZE)


class Noisy(keras.layers.Layer):
    """An augmentation that draws by itself."""

    def __init__(self):
        super().__init__(name="noisy")
        self.generator = keras.random.SeedGenerator(0)

    def call(self, images, keypoints, seed=None):
        return images + keras.random.normal(images.shape, seed=self.generator), keypoints


def test_an_augmentation_that_would_fail_in_the_first_step_is_refused():
    """On JAX a step that fails while it is traced leaves a model without weights."""
    with pytest.raises(KerasShrError, match=r"cannot be called as augmentation\(images, keypoi"):
        PairedHeatmapModel(tiny_network(), augmentation=lambda images, keypoints: images)
    if keras.config.backend() == "jax":
        with pytest.raises(KerasShrError, match="'noisy' has a random generator of its own"):
            PairedHeatmapModel(tiny_network(), augmentation=Noisy())
    else:
        PairedHeatmapModel(tiny_network(), augmentation=Noisy())


def test_pictures_too_small_to_perturb_are_refused_before_the_first_step():
    inputs = keras.Input((28, 40, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(3, 3, 4, padding="same")(inputs))
    model = PairedHeatmapModel(network)
    model.compile()
    images, keypoints = np.zeros((2, 28, 40, 3), "uint8"), np.full((2, 3, 3), 2, "float32")
    with pytest.raises(KerasShrError, match=r"images of \(28, 40\) px; perturbations need 32"):
        model.fit(images, keypoints, verbose=0)
    assert model.predict_keypoints(images).shape == (2, 3, 3)  # its weights are still there


def test_sides_that_are_not_paired_are_not_mirrored():
    eyes = Skeleton("eyes", ("nose", "left_eye", "right_eye"))
    for augmentation in (RandomKeypointAffine(), {"flip": 0.25}):
        with pytest.raises(KerasShrError, match="'eyes' does not say what becomes of 'left_eye'"):
            PairedHeatmapModel(tiny_network(), skeleton=eyes, augmentation=augmentation)
    order = RandomKeypointAffine(flip_order=(0, 2, 1))
    PairedHeatmapModel(tiny_network(), skeleton=eyes, augmentation=order)
    PairedHeatmapModel(tiny_network(), skeleton=eyes, augmentation=RandomKeypointAffine(flip=0))


def test_a_precision_that_would_have_no_effect_is_refused():
    with pytest.raises(KerasShrError, match="dtype has no effect here: the network's layers have"):
        tiny_model(dtype="mixed_float16")
    for same in (None, "float32", keras.dtype_policies.DTypePolicy("float32")):
        assert tiny_model(dtype=same).compute_dtype == "float32"
