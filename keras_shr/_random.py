"""Random numbers that depend on a seed alone.

A seed here is a plain `(2,)` uint32 tensor: it can be an argument of a compiled function, and
`fold_in` and `split` make as many independent seeds of it as needed. `keras.random` itself takes
only an integer (a constant of the compiled function) or a stateful `SeedGenerator`; for its
functions, `SeedTensor` wraps a seed tensor.

`uniform`, `normal`, `integers` and `permutation` hash a counter together with the seed, in
integer arithmetic. So the same seed gives the same numbers eagerly, in `tf.function`, in `tf.data`,
under XLA and in JAX (floats to the last bits), which `keras.random` does not promise: TensorFlow's
stateless operations draw other numbers as soon as XLA compiles them. This is a generator for
augmentation, not for cryptography.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2^32 / golden ratio: neighbouring counters land far apart


class SeedTensor(keras.random.SeedGenerator):
    """A seed tensor in the clothes of a `SeedGenerator`, so that `keras.random` takes it.

    `next()` gives the same value each time: one `SeedTensor` is for one draw.

    Args:
        seed: anything that `as_seed` takes.
    """

    def __init__(self, seed):
        # The parent's __init__ would create a variable, which a compiled function cannot.
        self.value = as_seed(seed)

    def next(self, ordered=True):
        """The seed, in the type that the backend's random operations want."""
        if keras.backend.backend() == "tensorflow":
            # The stateless TensorFlow operations compile under XLA with int32 seeds only.
            return ops.cast(self.value, "int32")
        return self.value


def as_seed(seed):
    """A `(2,)` uint32 seed tensor of an int, a `SeedGenerator` (advanced once) or such a tensor."""
    if isinstance(seed, SeedTensor):
        return seed.value
    if isinstance(seed, keras.random.SeedGenerator):
        seed = seed.next()
    elif isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        seed = np.array([int(seed) & _MASK, (int(seed) >> 32) & _MASK], "uint32")
    elif seed is None or isinstance(seed, float | str | bool):
        raise KerasShrError(
            f"seed is {seed!r}; it must be an int, a keras.random.SeedGenerator or a (2,) integer "
            "tensor"
        )
    return ops.reshape(ops.cast(ops.convert_to_tensor(seed), "uint32"), (2,))


def fold_in(seed, number):
    """The seed number `number` of the family of `seed`: another `(2,)` uint32 tensor.

    Args:
        seed: anything that `as_seed` takes.
        number: int or integer scalar tensor.
    """
    if isinstance(number, int | np.integer):
        number = np.array(int(number) & _MASK, "uint32")
    return _children(as_seed(seed), ops.cast(ops.convert_to_tensor(number), "uint32"))


def split(seed, count):
    """A list of `count` independent seeds, the first `count` of the family that `fold_in` names."""
    numbers = ops.convert_to_tensor(np.arange(count, dtype="uint32")[:, None])
    children = ops.reshape(_children(as_seed(seed), numbers), (count, 2))
    return [children[i] for i in range(count)]


def _children(seed, numbers):
    # Each word passes through the mixer together with the other one, so that two families
    # overlap only where both words meet.
    low = _mix(ops.bitwise_xor(seed[:1], (numbers + _word(1)) * _word(_GOLDEN)))
    high = _mix(ops.bitwise_xor(seed[1:], low + _word(0x7F4A7C15)))
    low = _mix(ops.bitwise_xor(low, high + _word(0x85EBCA77)))
    # Not a concatenation: XLA would emit this whole chain again for every use of a word.
    return _settled(ops.where(ops.convert_to_tensor(np.array([True, False])), low, high))


def _settled(words):
    """The same words, computed once.

    Under JAX, XLA for CPUs fuses the hash of a seed into each use of it, the uses' own seeds
    included, so that a chain of three took minutes to compile. It does not fuse through a
    product of matrices, not even by the identity.
    """
    if keras.backend.backend() != "jax":
        return words
    import jax

    signed = jax.lax.bitcast_convert_type(words, "int32")
    product = jax.numpy.matmul(signed, np.eye(2, dtype="int32"))
    return jax.lax.bitcast_convert_type(product, "uint32")


def _word(value):
    return ops.convert_to_tensor(np.array(value, "uint32"))


def _mix(word, key=None):
    """Scramble 32-bit words, by C. Wellons' low-bias hash (two multiplications, three shifts)."""
    word = ops.bitwise_xor(word, ops.right_shift(word, _word(16))) * _word(0x21F0AAAD)
    if key is not None:
        word = ops.bitwise_xor(word, key)
    word = ops.bitwise_xor(word, ops.right_shift(word, _word(15))) * _word(0xD35A2D97)
    return ops.bitwise_xor(word, ops.right_shift(word, _word(15)))


def _bits(count, seed):
    """`count` (int or scalar tensor) random 32-bit words as a vector."""
    seed = as_seed(seed)
    counter = ops.cast(ops.arange(count, dtype="int32"), "uint32")
    return _mix(counter * _word(_GOLDEN) + seed[0], key=seed[1])


def _unit(count, seed):
    """`count` floats in [0, 1), multiples of 2^-24."""
    bits = ops.right_shift(_bits(count, seed), _word(8))
    # By way of int32: casting unsigned numbers to float is slow on many devices.
    return ops.cast(ops.cast(bits, "int32"), "float32") * (2.0**-24)


def _size(shape):
    return math.prod(shape) if shape else 1


def uniform(shape, seed, minval=0.0, maxval=1.0):
    """float32 numbers in [minval, maxval).

    Args:
        shape: tuple of ints and scalar tensors.
        seed: anything that `as_seed` takes.
        minval, maxval: floats or tensors that broadcast to `shape`.
    """
    return minval + (maxval - minval) * ops.reshape(_unit(_size(shape), seed), shape)


def normal(shape, seed, mean=0.0, stddev=1.0):
    """float32 numbers of the normal distribution, up to 5.4 deviations; arguments as above."""
    # The middle of each step of the uniform numbers, so that neither end is reached.
    draws = 2.0 * _unit(_size(shape), seed) + (2.0**-24 - 1.0)
    # TensorFlow's erfinv adds 1, which rounds to 2 for the very last number: infinity.
    draws = ops.minimum(draws, 1.0 - 2.0**-23)
    numbers = math.sqrt(2.0) * ops.erfinv(ops.reshape(draws, shape))
    return mean + stddev * numbers


def integers(shape, seed, minval, maxval):
    """int32 numbers from minval to maxval - 1; arguments as for `uniform`, but integers.

    A range of n numbers is covered evenly to about n / 2^24.
    """
    span = ops.cast(maxval - minval, "float32")
    draws = ops.reshape(_unit(_size(shape), seed), shape)
    # The product can round up to the span itself.
    draws = ops.minimum(ops.floor(draws * span), span - 1.0)
    return ops.cast(draws, "int32") + minval


def permutation(count, seed):
    """The numbers 0..count-1 as int32 in random order; `count` may be a scalar tensor."""
    return ops.cast(ops.argsort(_unit(count, seed)), "int32")
