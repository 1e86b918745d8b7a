"""Weights out of a file that `torch.save` wrote before PyTorch 1.6, without PyTorch.

Five pickles (a magic number, a version, sizes of C types, the state dict, the storages' names),
then the storages: each its count as eight bytes and its numbers.
"""

import collections
import io
import pickle
import struct

import numpy as np

_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_torch_file(content):
    """The state dict in the bytes of such a file: names to arrays.

    Nothing that the pickle names is looked up, apart from what a state dict of floats and integers
    is made of.

    Raises:
        pickle.UnpicklingError: the file names something else.
    """
    stream = io.BytesIO(content)
    for _ in range(3):
        _StateDictUnpickler(stream).load()
    unpickler = _StateDictUnpickler(stream)
    tensors = unpickler.load()
    names = _StateDictUnpickler(stream).load()
    for name in names:
        storage = unpickler.storages[name]
        (count,) = struct.unpack("<q", stream.read(8))
        storage.values = np.frombuffer(stream.read(count * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}


class _Storage:
    def __init__(self, dtype):
        self.dtype = dtype
        self.values = None


class _Tensor:
    """A view of a storage; the numbers come after the pickle that names it."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        values = self.storage.values[self.offset :]
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or last >= len(values):
            raise pickle.UnpicklingError(f"a tensor of shape {self.shape} goes beyond its storage")
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values, self.shape, steps, writeable=False)


class _StateDictUnpickler(pickle.Unpickler):
    def __init__(self, stream):
        super().__init__(stream)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, identity):
        _, kind, name, *_ = identity
        return self.storages.setdefault(name, _Storage(_DTYPES[kind]))
