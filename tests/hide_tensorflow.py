"""A pytest plugin under which TensorFlow cannot be imported, as where it is not installed.

KERAS_BACKEND=jax python -m pytest -p tests.hide_tensorflow
"""

import importlib.abc
import sys


class _Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {fullname!r} (hidden)", name=fullname)
        return None


sys.meta_path.insert(0, _Refuse())
