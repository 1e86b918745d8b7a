"""What a benchmark ran on, in words; never the machine's own name."""

import os
import platform
from pathlib import Path


def processor():
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def processor_and_cores():
    return f"{processor()}, {os.cpu_count()} cores"


def accelerator():
    """The name of the device that the backend computes on, empty for a CPU."""
    from keras_shr import _devices

    found = _devices.accelerators()
    return found[0].model if found else ""
