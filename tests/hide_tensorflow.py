"""A pytest plugin under which TensorFlow cannot be imported, as where it is not installed.

KERAS_BACKEND=jax python -m pytest -p tests.hide_tensorflow
"""

import sys
from importlib.machinery import PathFinder


class _WithoutTensorFlow(PathFinder):
    # Does not raise: others, such as torch, only ask whether TensorFlow is there.
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.split(".")[0] == "tensorflow":
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = _WithoutTensorFlow
