"""Does a small network train here: on each device, on several, compiled, in half precision?"""

import keras
import numpy as np
from keras import ops

from keras_shr import _devices
from keras_shr.models import PairedHeatmapModel
from keras_shr.selftest.check import Failure, Skip

SIZE, KEYPOINTS, BATCH, STEPS = 64, 3, 8, 12
_KINDS = ("contrast", "gaussian_noise")  # quick to compile; another check looks at all of them


def pictures(count=BATCH, seed=0):
    """Pictures of a red, a green and a blue dot, uint8 `(count, 64, 64, 3)`, and where they are."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((count, KEYPOINTS, 3), 2, "float32")
    keypoints[..., :2] = rng.uniform(8, SIZE - 8, (count, KEYPOINTS, 2))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    square = (columns - keypoints[..., 0, None, None]) ** 2
    square = square + (rows - keypoints[..., 1, None, None]) ** 2
    images = 40 + 200 * np.exp(-square / 18) + rng.uniform(0, 15, (count, 3, SIZE, SIZE))
    return np.moveaxis(images, 1, -1).clip(0, 255).astype("uint8"), keypoints


def small_model(dtype="float32", normalised=True, **options):
    """64x64 images to 16x16 heatmaps in three convolutions; the same weights each time."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, dtype=dtype)(inputs)
    x = keras.layers.Conv2D(16, 5, 4, padding="same", dtype=dtype)(x)
    if normalised:
        x = keras.layers.BatchNormalization(momentum=0.8, dtype=dtype)(x)
    x = keras.layers.ReLU(dtype=dtype)(x)
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", dtype=dtype)(x)
    x = keras.layers.Conv2D(KEYPOINTS, 3, padding="same", dtype="float32")(x)
    options = {"perturbations": _KINDS} | options
    return PairedHeatmapModel(keras.Model(inputs, x), **options)


def train(model, steps=STEPS, optimizer=None, jit="auto") -> list[float]:
    """The losses of a few steps on one batch, the same in each."""
    images, keypoints = pictures()
    optimizer = optimizer or keras.optimizers.Adam(1e-2)
    model.compile(optimizer, metrics=[], jit_compile=jit)
    history = model.fit(images, keypoints, BATCH, epochs=steps, shuffle=False, verbose=0)
    return [float(loss) for loss in history.history["loss"]]


def check_learned(model, losses) -> str:
    """Fails unless all is finite and the loss fell; says by how much."""
    text = f"loss {losses[0]:.2f} to {losses[-1]:.2f} in {len(losses)} steps"
    if not np.isfinite(losses).all():
        raise Failure(f"the loss became {next(x for x in losses if not np.isfinite(x))}")
    for variable in model.variables:
        if not np.isfinite(ops.convert_to_numpy(variable)).all():
            raise Failure(f"the variable {variable.path} is no longer finite; {text}")
    if np.mean(losses[-3:]) > 0.95 * losses[0]:
        raise Failure(f"training does not lower the loss: {text}")
    return text


def check_device(device):
    """A forward pass that agrees with the CPU's, and paired training steps."""
    images, _ = pictures()
    with keras.device(_devices.devices()[-1].name):
        expected = ops.convert_to_numpy(small_model()(images.astype("float32")))
    with keras.device(device.name):
        model = small_model()
        apart = np.abs(ops.convert_to_numpy(model(images.astype("float32"))) - expected).max()
        losses = train(model)
    # Maps reach 1; an accelerator may multiply with ten bits (TensorFloat-32).
    if not apart < 0.03:
        raise Failure(f"heatmaps differ from the CPU's by {apart:.3g}")
    return f"{check_learned(model, losses)}; heatmaps within {apart:.0e} of the CPU's"


def check_compiled():
    """The same losses with and without XLA."""
    if keras.config.backend() == "torch":
        raise Skip("PyTorch has no XLA; the package leaves torch.compile off")
    # One kind: without XLA, JAX takes half a minute to prepare the operations of two.
    plain, compiled = (
        train(small_model(perturbations=_KINDS[:1]), 3, keras.optimizers.SGD(1e-2), jit)
        for jit in (False, True)
    )
    if not np.allclose(plain, compiled, rtol=1e-2):
        raise Failure(f"losses {_short(compiled)} with jit_compile, {_short(plain)} without")
    return f"losses {_short(compiled)} with jit_compile, {_short(plain)} without"


def check_precision(policy):
    """Training in half precision.

    Args:
        policy: `"mixed_float16"` or `"mixed_bfloat16"`.
    """
    model = small_model(policy)
    losses = train(model)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    if scaled != (policy == "mixed_float16"):
        raise Failure(f"loss scaling is {'on' if scaled else 'off'} in {policy}")
    skipped = len(losses) - int(model.optimizer.iterations)
    text = check_learned(model, losses)
    return text + (f"; {skipped} skipped to find the loss scale" if skipped else "")


def check_several(devices):
    """The same losses on several devices as on one.

    Args:
        devices: of one kind.
    """
    if len(devices) < 2:
        raise Skip(f"there is one {devices[0].kind}")
    backend = keras.config.backend()
    if backend == "torch":
        raise Skip("on PyTorch the package trains on one device")
    options = {"normalised": False, "perturbations": None}
    one = train(small_model(**options), 3, keras.optimizers.SGD(1e-2))
    with _spread(backend, [device.name for device in devices]):
        model = small_model(**options)
        several = train(model, 3, keras.optimizers.SGD(1e-2))
    text = f"losses {_short(several)} on {len(devices)} devices, {_short(one)} on one"
    if not np.allclose(one, several, rtol=1e-2):
        raise Failure(text)
    return text


def _spread(backend, names):
    """A context whose models train on the named devices together."""
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.distribute.MirroredStrategy([f"/{name}" for name in names]).scope()
    return keras.distribution.DataParallel(devices=names).scope()


def _short(losses):
    return " ".join(f"{loss:.4f}" for loss in losses)
