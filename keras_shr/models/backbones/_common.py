"""What the backbones share: preprocessing inside, and weights that may not be at hand."""

import warnings

import keras
from keras import layers

from keras_shr.errors import KerasShrError, first_line


def images_input(image_size):
    """The input of every backbone: RGB images `(batch, height, width, 3)` in 0..255."""
    return keras.Input((*image_size, 3), name="images")


def scaled_to_one(images):
    """Images in [-1, 1], as keras.applications' MobileNetV2 takes them."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocessing")(images)


def standardised(images):
    """Images less ImageNet's mean, over its deviation: how torchvision and timm feed networks."""
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    scale = [1 / (255 * d) for d in deviation]
    offset = [-m / d for m, d in zip(mean, deviation, strict=True)]
    return layers.Rescaling(scale, offset, name="preprocessing")(images)


def applications_model(function, inputs, weights, name, taps, **options):
    """The model called `name` from `inputs` to some layers of a model of keras.applications.

    Args:
        function: of keras.applications.
        inputs: what it takes, computed from images in 0..255 of any size.
        weights: `None`, `"imagenet"`, or the path of a file of `function(include_top=False)`, or
            of one that `save_weights` of the model returned here wrote.
        name: of the model.
        taps: names of the layers whose outputs it has.
        options: of `function`.

    Raises:
        KerasShrError: the weights cannot be loaded; says what to do instead.
    """
    known = weights in (None, "imagenet")
    try:
        with warnings.catch_warnings():
            # Without the classifier ImageNet's weights fit any size, not only those Keras lists.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            full = function(
                input_tensor=inputs,
                include_top=False,
                weights=weights if known else None,
                **options,
            )
        model = keras.Model(full.inputs[0], [full.get_layer(tap).output for tap in taps], name=name)
        if not known:
            _load_either(full, model, weights)
    except Exception as error:
        if weights is None:
            raise
        shown = ", ".join(f"{key} {value}" for key, value in options.items())
        raise KerasShrError(
            f"weights={weights!r} of {name}{shown and f' ({shown})'} could not be loaded: "
            f"{_reason(error)}. Give weights=None, or the path of a weights file that "
            f"keras.applications.{function.__name__}(include_top=False) reads."
        ) from error
    return model


def _load_either(full, model, weights):
    try:
        full.load_weights(weights)
    except Exception as error:
        try:
            model.load_weights(weights)
        except Exception:
            raise error from None  # the file is more likely to be Keras's own


def _reason(error):
    """What Keras says, without the example that it begins on the same line."""
    return first_line(error).partition(" Example error message")[0].rstrip(".")


def load_own_weights(model, weights, source=None):
    """Loads a file of Keras weights into a backbone that keras.applications does not have.

    Args:
        model: the backbone.
        weights: `None`, or the path of a file that `model.save_weights` wrote.
        source: a PyTorch expression for the same network with ImageNet weights, where there is one.

    Raises:
        KerasShrError: `"imagenet"`, which Keras does not have, or a file that cannot be loaded.
    """
    if weights is None:
        return
    if weights == "imagenet":
        instead = "weights=None"
        if source:
            instead += (
                " and load PyTorch's: keras_shr.models.weights.from_torch(model.get_backbone(), "
                f"{source}.state_dict())"
            )
        raise KerasShrError(
            f"weights='imagenet': Keras has no ImageNet weights of {model.name}. Give {instead}"
        )
    try:
        model.load_weights(weights)
    except Exception as error:
        raise KerasShrError(
            f"weights={str(weights)!r} of {model.name} could not be loaded: {_reason(error)}. Give "
            "weights=None, or the path of a file that backbone.save_weights wrote."
        ) from error
