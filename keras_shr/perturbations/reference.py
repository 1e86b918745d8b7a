"""All fifteen perturbations by the reference library, imagecorruptions, one image at a time."""

import contextlib
import io
import warnings

import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.perturbations.names import ALL_PERTURBATIONS, SMALLEST, check_severities


def perturb(image, kind, severity, seed) -> np.ndarray:
    """Perturb one image exactly as the reference library does.

    Args:
        image: uint8 `(height, width, 3)` or `(height, width, 1)`, height and width 32 or more.
        kind: a name of `ALL_PERTURBATIONS`.
        severity: 1 to 5.
        seed: int, 0 to 2^32 - 1; the same seed gives the same picture. The global NumPy random
            state is left as it was.

    Returns:
        uint8 of the same shape; a grey image is perturbed as three equal channels, of which the
        green one is kept.

    Raises:
        KerasShrError: the library is not installed, or an argument is not as said above.
    """
    if kind not in ALL_PERTURBATIONS:
        raise KerasShrError(
            f"unknown perturbation {kind!r}; the kinds are " + ", ".join(ALL_PERTURBATIONS)
        )
    (severity,) = check_severities((severity,))
    image = np.asarray(image)
    shape = image.shape
    valid = image.dtype == np.uint8 and len(shape) == 3 and shape[2] in (1, 3)
    if not valid or min(shape[:2]) < SMALLEST:
        raise KerasShrError(
            f"image is {image.dtype} of shape {shape}; the reference takes uint8 (height, width, 3 "
            "or 1) with height and width of 32 or more"
        )
    seed = int(seed) % 2**32
    state = np.random.get_state()  # noqa: NPY002 - the library draws from the global generator
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            library = _library()
            np.random.seed(seed)  # noqa: NPY002
            # Glass blur draws inside compiled code, which has a generator of its own.
            extra = {"seed": seed} if kind == "glass_blur" else {}
            result = library.corrupt(
                np.ascontiguousarray(image), severity, corruption_name=kind, **extra
            )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return result[..., 1:2] if shape[2] == 1 else result


def _library():
    try:
        import imagecorruptions
    except ImportError as error:
        raise KerasShrError(
            "the reference perturbations need the package imagecorruptions-imaug, which cannot be "
            f"imported ({error}): pip install 'imagecorruptions-imaug>=1.1.5'"
        ) from error
    return imagecorruptions
