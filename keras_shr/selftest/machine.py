"""What the machine has: versions, devices, and why a GPU is not among them."""

import glob
import importlib.util
import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version

import keras

from keras_shr import __version__, _devices
from keras_shr.selftest.check import Failure

TESTED = {
    "python": ("3.11", "3.14"),
    "keras": ("3.10", "3.16"),
    "tensorflow": ("2.18", "2.22"),
    "jax": ("0.4.34", "0.11"),
    "torch": ("2.6", "2.15"),
    "numpy": ("1.26", "2.5"),
    "scipy": ("1.11", "1.18"),
    "pillow": ("10.3", "14"),
    "matplotlib": ("3.8", "3.12"),
    "imagecorruptions-imaug": ("1.1.5", "1.2"),
}
"""Versions that the tests ran with: from the first, below the second (requirements.txt)."""


def check_versions():
    """Each package between the ends of what was tested."""
    backends = {"tensorflow", "jax", "torch"} - {keras.config.backend()}
    found = {"python": platform.python_version()}
    for name in TESTED:
        if name != "python" and name not in backends:
            found[name] = _installed(name)
    text = ", ".join(f"{name} {value}" for name, value in found.items())
    old = [f"{n} {v} (needs {TESTED[n][0]})" for n, v in found.items() if is_older(v, TESTED[n][0])]
    if old:
        raise Failure("too old: " + ", ".join(old))
    new = [
        f"{n} {v} (tested below {TESTED[n][1]})"
        for n, v in found.items()
        if not is_older(v, TESTED[n][1])
    ]
    text = f"keras_shr {__version__}, {text}"
    return text + (f"; newer than tested: {', '.join(new)}" if new else "")


def _installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        pass
    module = importlib.import_module(name) if importlib.util.find_spec(name) else None
    found = getattr(module, "__version__", None)  # such as tensorflow-cpu, under another name
    if found is None:
        raise Failure(f"{name} is not installed")
    return found


def is_older(one, other) -> bool:
    """Whether version `one` comes before `other`, by their numbers alone."""

    def numbers(text):
        return [int(part) for part in re.split(r"[^\d.]", text)[0].split(".") if part]

    return numbers(one) < numbers(other)


def check_devices():
    """What the backend sees; fails where a GPU is there and the backend does not see it."""
    backend = keras.config.backend()
    found = _devices.devices()
    text = ", ".join(f"{device.name} ({device.model})" for device in found)
    if any(device.kind != "cpu" for device in found):
        return f"{backend} computes on {text}"
    reason, is_fault = missing_gpu(backend)
    if is_fault:
        raise Failure(f"{backend} computes on {text} alone: {reason}")
    return f"{backend} computes on {text}; no GPU: {reason}"


def missing_gpu(backend) -> tuple[str, bool]:
    """Why the backend sees no GPU, and whether that is a fault to mend.

    Args:
        backend: `"tensorflow"`, `"jax"` or `"torch"`.
    """
    hidden = {
        "CUDA_VISIBLE_DEVICES": ("", "-1"),
        "JAX_PLATFORMS": ("cpu",) if backend == "jax" else (),
        "KERAS_TORCH_DEVICE": ("cpu",) if backend == "torch" else (),
    }
    for name, values in hidden.items():
        if os.environ.get(name) in values:
            return f"{name}={os.environ[name]!r} hides it", False
    if not _has_nvidia_driver():
        return "there is no NVIDIA driver on this machine (or container)", False
    wheel = _without_cuda(backend)
    if wheel:
        return f"there is an NVIDIA driver, but {wheel}", True
    return (
        "there is an NVIDIA driver, and the backend opened no GPU: its CUDA libraries are missing "
        "or do not suit the driver (see nvidia-smi, and the backend's messages above)",
        True,
    )


def _has_nvidia_driver():
    return bool(
        glob.glob("/dev/nvidia[0-9]*")
        or os.path.exists("/proc/driver/nvidia/version")
        or shutil.which("nvidia-smi")
    )


def _without_cuda(backend):
    """What to install where the backend was built for the CPU, else an empty string."""
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.test.is_built_with_cuda():
            return "this TensorFlow was built for the CPU: pip install 'tensorflow[and-cuda]'"
    elif backend == "jax":
        if not any(importlib.util.find_spec(f"jax_cuda{n}_plugin") for n in (12, 13)):
            return "JAX is installed without CUDA: pip install 'jax[cuda13]' (or cuda12)"
    else:
        import torch

        if torch.version.cuda is None:
            return "this PyTorch was built for the CPU: see pytorch.org for one with CUDA"
    return ""
