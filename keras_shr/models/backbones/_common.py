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


def applications_model(function, inputs, weights, name, **options):
    """A model of keras.applications on `inputs`, without its classifier, for any image size.

    Raises:
        KerasShrError: the weights cannot be loaded; says what to do instead.
    """
    try:
        with warnings.catch_warnings():
            # Without the classifier ImageNet's weights fit any size, not only those Keras lists.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            return function(input_tensor=inputs, include_top=False, weights=weights, **options)
    except Exception as error:
        if weights is None:
            raise
        shown = ", ".join(f"{key} {value}" for key, value in options.items())
        reason = first_line(error).rstrip(".")
        raise KerasShrError(
            f"weights={weights!r} of {name}{shown and f' ({shown})'} could not be loaded: "
            f"{reason}. Give weights=None, or the path of a weights file that "
            f"keras.applications.{function.__name__}(include_top=False) reads."
        ) from error


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
        reason = first_line(error).rstrip(".")
        raise KerasShrError(
            f"weights={str(weights)!r} of {model.name} could not be loaded: {reason}. Give "
            "weights=None, or the path of a file that backbone.save_weights wrote."
        ) from error
