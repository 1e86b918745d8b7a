"""When this process began; imported before Keras, which takes seconds."""

import time

_STARTED = time.monotonic()


def since_start() -> float:
    """Seconds since the package began to load: all but the start of Python itself."""
    return time.monotonic() - _STARTED
