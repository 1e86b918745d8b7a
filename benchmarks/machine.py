"""What a benchmark ran on, in words; never the machine's own name."""

import os
import platform


def processor():
    """The processor's name."""
    from keras_shr import _devices

    return _devices.processor() or platform.machine()


def processor_and_cores():
    return f"{processor()}, {os.cpu_count()} cores"


def accelerator():
    """The name of the device that the backend computes on, empty for a CPU."""
    from keras_shr import _devices

    found = _devices.accelerators()
    return found[0].model if found else ""
