"""What Keras's backend can compute on."""

import platform
from dataclasses import dataclass

import keras

from keras_shr._cores import cores


@dataclass(frozen=True)
class Device:
    """A processor that the backend sees.

    Attributes:
        name: as `keras.device` takes it, such as `"gpu:0"`.
        model: its maker's name for it; of a CPU also the number of cores.
    """

    name: str
    model: str

    @property
    def kind(self) -> str:
        """`"cpu"`, `"gpu"`, `"tpu"` or `"mps"`."""
        return self.name.partition(":")[0]


def devices() -> list[Device]:
    """All of them; accelerators first, in the backend's order, then the CPU."""
    found = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.config.backend()]()
    return sorted(found, key=lambda device: device.kind == "cpu")


def accelerators() -> list[Device]:
    """The devices that are not the CPU."""
    return [device for device in devices() if device.kind != "cpu"]


def _cpu() -> str:
    count = cores()
    words = f"{count} core{'s' * (count != 1)}, {platform.machine()}"
    return f"{name}, {words}" if (name := processor()) else words


def processor() -> str:
    """The CPU's name, "" where the system does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2] for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return (names[0] if names else platform.processor()).strip()


def _tensorflow():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    models = [detail.get("device_name", "GPU") for detail in details]
    found = []
    for logical in tf.config.list_logical_devices():
        kind, _, number = logical.name.rpartition("device:")[2].lower().partition(":")
        if kind == "cpu":
            model = _cpu()
        else:
            is_known = kind == "gpu" and int(number) < len(models)
            model = models[int(number)] if is_known else logical.device_type
        if kind in ("cpu", "gpu", "tpu"):
            found.append(Device(f"{kind}:{number}", model))
    return found


def _jax():
    import jax

    found = [("cpu", device) for device in jax.local_devices(backend="cpu")]
    if jax.default_backend() != "cpu":
        kind = "tpu" if jax.default_backend() == "tpu" else "gpu"
        found += [(kind, device) for device in jax.local_devices()]
    return [
        Device(f"{kind}:{device.id}", _cpu() if kind == "cpu" else device.device_kind)
        for kind, device in found
    ]


def _torch():
    import torch

    # Not "cpu:0", which Keras takes for another device than "cpu" and copies all variables to.
    found = [Device("cpu", _cpu())]
    if torch.backends.mps.is_available():
        found.append(Device("mps:0", "Apple GPU"))
    for number in range(torch.cuda.device_count()):
        found.append(Device(f"gpu:{number}", torch.cuda.get_device_name(number)))
    return found
