"""A pytest plugin under which TensorFlow cannot be imported, as where it is not installed.

KERAS_BACKEND=jax python -m pytest -p tests.hide_tensorflow
"""

import sys

# What Python itself writes there for a module that must not be imported; unlike a finder that
# raises, it lets others ask whether TensorFlow is there (torch does).
sys.modules["tensorflow"] = None
