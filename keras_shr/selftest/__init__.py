"""Does keras_shr work on this machine? `keras-shr selftest` asks, one line for each answer."""

from collections.abc import Iterator

from keras_shr import _devices
from keras_shr.selftest import machine, parts, training
from keras_shr.selftest.check import Outcome, run_check

__all__ = ["Outcome", "run_selftest"]


def run_selftest() -> Iterator[Outcome]:
    """Runs the checks one after the other, in Keras's backend (`KERAS_BACKEND`).

    Versions and devices; training on each device, on all together, compiled and in half precision;
    perturbations against the reference library; saving and export; speed. A check that fails does
    not keep the others from running.

    Yields:
        An `Outcome` for each, as soon as it is known.
    """
    yield run_check("versions", machine.check_versions)
    yield run_check("devices", machine.check_devices)
    devices = _devices.devices()
    for device in devices:
        yield run_check(f"training on {device.name}", training.check_device, device)
    best = [device for device in devices if device.kind == devices[0].kind]
    yield run_check("several devices", training.check_several, best)
    yield run_check("jit_compile", training.check_compiled)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        yield run_check(policy, training.check_precision, policy)
    yield run_check("perturbations", parts.check_perturbations)
    yield run_check("save and load", parts.check_saving)
    yield run_check("tflite", parts.check_tflite)
    for device in devices:
        yield run_check(f"speed on {device.name}", parts.check_speed, device)
