"""Test pictures, compiled calls, and the reference library's own draws in our parameters."""

from pathlib import Path

import keras
import numpy as np
import skimage
from PIL import Image
from scipy.ndimage import gaussian_filter

from keras_shr import _compile
from keras_shr.perturbations import NATIVE, _frost_pictures, _noise, _weather, reference

# Photographs in scikit-image's wheel, which the reference library brings along.
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left")

RANDOM_KINDS = (
    "frost",
    "gaussian_noise",
    "glass_blur",
    "motion_blur",
    "shot_noise",
    "snow",
    "spatter",
    "speckle_noise",
)
# Mean and deviation of the noise behind spatter.
SPATTER_LAW = ((0.65, 0.3), (0.65, 0.3), (0.65, 0.3), (0.65, 0.3), (0.67, 0.4))


def picture(height, width, seed=0):
    """uint8, with the falling spectrum of a photograph, edges, a black and a white patch."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for scale in (1, 3, 8, 20):
        noise = rng.standard_normal((height, width, 3))
        image += 3 * scale**0.7 * gaussian_filter(noise, (scale, scale, 0))
    image = 255 * (image - image.min()) / (image.max() - image.min())
    image[height // 4 : height // 2, width // 3 : width // 2] = rng.uniform(0, 255, 3)
    image[:5, :7] = 0
    image[-5:, :7] = 255
    return image.astype("uint8")


def photographs(height, width):
    """Five photographs as uint8 `(5, height, width, 3)`."""
    folder = Path(skimage.__file__).parent / "data"
    files = [next(folder.glob(f"{name}.*")) for name in PHOTOGRAPHS]
    images = [Image.open(file).convert("RGB").resize((width, height)) for file in files]
    return np.stack([np.asarray(image) for image in images])


def compiled(function, jit_compile=False):
    """`function` of arrays, compiled for the backend; gives NumPy arrays."""
    run = _compile.compiled(function, jit_compile=jit_compile)

    def call(*arguments):
        # PyTorch has no step that makes tensors of a compiled function's arrays.
        arguments = keras.tree.map_structure(keras.ops.convert_to_tensor, arguments)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, run(*arguments))

    return call


def apply_with(kind, images, severity, parameters):
    """The native `apply` with given parameters, truncated to uint8."""
    run = compiled(lambda i, s, p: NATIVE[kind].apply(i, s, p))
    arguments = images.astype("float32"), np.asarray(severity, "int32"), parameters
    return np.floor(run(*arguments) + 2.0**-10).astype("uint8")


def reference_draw(kind, image, severity, seed):
    """What the reference draws for `image` under `seed`, as parameters of our `apply`."""
    height, width = image.shape[:2]
    rng = np.random.RandomState(seed)
    if kind in ("gaussian_noise", "speckle_noise"):
        return {"noise": rng.normal(size=image.shape)}
    if kind == "shot_noise":
        rate = _noise._PHOTONS[severity - 1]
        count = rng.poisson(image / 255.0 * rate)
        # The middle of the part of the outcome's own column that stays with it.
        entry = _noise._alias_table().reshape(5, 256, 128)[severity - 1, image, count]
        return {"uniform": (count + (entry - np.floor(entry)) / 2) / 128}
    if kind == "motion_blur":
        return {"angle": np.array(rng.uniform(-45, 45))}
    if kind == "snow":
        mean, deviation, zoom = _weather._SNOW[severity - 1][:3]
        noise = rng.normal(size=(height, width), loc=mean, scale=deviation)
        noise = (noise - mean) / deviation
        angle = rng.uniform(-135, -45)
        flakes = np.zeros(((height + 1) // 2, (width + 1) // 2))
        rows, columns = (int(np.ceil(n / zoom)) for n in (height, width))
        top, left = (height - rows) // 2, (width - columns) // 2
        flakes[:rows, :columns] = noise[top : top + rows, left : left + columns]
        return {"noise": flakes, "angle": np.array(angle)}
    if kind == "frost":
        picture = rng.randint(6)
        _, sizes, _ = _frost_pictures.atlas(height, width)
        top, left = (
            rng.randint(0, n - m) for n, m in zip(sizes[picture], (height, width), strict=True)
        )
        return {k: np.array(v) for k, v in (("picture", picture), ("top", top), ("left", left))}
    if kind == "spatter":
        return {"noise": rng.normal(*SPATTER_LAW[severity - 1], size=(height, width))}
    if kind == "glass_blur":
        return {"source": reference_glass_source(height, width, severity, seed)}
    return {}


def beside_reference(kind, images, seed=10):
    """Five images at severities 1 to 5: what `apply` makes of the reference's own draw, and the
    reference's pictures."""
    severities = range(1, 6)
    pairs = list(zip(images, severities, strict=True))
    draws = stack_draws([reference_draw(kind, image, s, seed) for image, s in pairs])
    expected = np.stack([reference.perturb(image, kind, s, seed=seed) for image, s in pairs])
    return apply_with(kind, images, severities, draws), expected


def reference_glass_source(height, width, severity, seed):
    """Run the library's shuffle on a picture of its own coordinates (sides up to 512)."""
    from imagecorruptions.corruptions import _shuffle_pixels_njit_glass_blur as shuffle

    settings = [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)][severity - 1]
    rows, columns = np.mgrid[:height, :width]
    high = (rows // 256) * 2 + columns // 256
    code = np.stack([rows % 256, columns % 256, high], -1).astype("uint8")
    code = shuffle(height, width, code, settings, seed).astype(int)
    return (
        (code[..., 0] + 256 * (code[..., 2] // 2)) * width + code[..., 1] + 256 * (code[..., 2] % 2)
    )


def stack_draws(draws):
    """A list of parameter dicts as one dict of batched arrays of the types that `draw` gives."""

    def batch(values):
        values = np.stack(values)
        return values.astype("int32" if values.dtype.kind == "i" else "float32")

    return {key: batch([draw[key] for draw in draws]) for key in draws[0]}
