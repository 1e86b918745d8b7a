"""Random numbers that depend on a seed alone.

A seed here is a plain `(2,)` uint32 tensor: it can be an argument of a compiled function, and
`fold_in` and `split` make as many independent seeds of it as needed. `keras.random` takes only an
integer (a constant of the compiled function) or a stateful `SeedGenerator`.

Rows: the first axis of what is drawn is the batch. `at_row(seed, r)` is a `(3,)` tensor, the same
seed for the rows from r on: a device that holds rows r, r + 1, ... of a batch draws with it just
what one device with the whole batch would have drawn for them.

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


def as_seed(seed):
    """A uint32 seed tensor of an int, a `SeedGenerator` (advanced once) or such a tensor."""
    if isinstance(seed, keras.random.SeedGenerator):
        seed = seed.next()
    elif isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        seed = np.array([int(seed) & _MASK, (int(seed) >> 32) & _MASK], "uint32")
    elif seed is None or isinstance(seed, float | str | bool):
        raise KerasShrError(
            f"seed is {seed!r}; it must be an int, a keras.random.SeedGenerator or a (2,) integer "
            "tensor"
        )
    seed = _wrap(ops.cast(ops.convert_to_tensor(seed), "uint32"))
    return seed if tuple(seed.shape) == (3,) else ops.reshape(seed, (2,))


def at_row(seed, row):
    """The seed for rows from `row` on of what `seed` draws: a `(3,)` uint32 tensor.

    Args:
        seed: anything that `as_seed` takes; a row that it has already is forgotten.
        row: int or integer scalar tensor.
    """
    row = ops.reshape(ops.cast(ops.convert_to_tensor(row), "uint32"), (1,))
    return ops.concatenate([as_seed(seed)[:2], row])


def first_row(seed):
    """The row of `at_row` as an int32 scalar tensor; the integer 0 for a seed without one."""
    seed = as_seed(seed)
    return ops.cast(seed[2], "int32") if seed.shape[0] == 3 else 0


def fold_in(seed, number):
    """The seed number `number` of the family of `seed`: another seed tensor, of the same row.

    Args:
        seed: anything that `as_seed` takes.
        number: int or integer scalar tensor.
    """
    if isinstance(number, int | np.integer):
        number = np.array(int(number) & _MASK, "uint32")
    seed = as_seed(seed)
    child = _children(seed[:2], ops.cast(ops.convert_to_tensor(number), "uint32"))
    return ops.concatenate([child, seed[2:]]) if seed.shape[0] == 3 else child


def split(seed, count):
    """A list of `count` independent seeds, the first `count` of the family that `fold_in` names."""
    numbers = ops.convert_to_tensor(np.arange(count, dtype="uint32")[:, None])
    seed = as_seed(seed)
    children = ops.reshape(_children(seed[:2], numbers), (count, 2))
    if seed.shape[0] == 3:
        return [ops.concatenate([children[i], seed[2:]]) for i in range(count)]
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


def _wrap(word):
    """A word modulo 2^32; PyTorch has no uint32, and Keras takes int64 for it."""
    if keras.backend.backend() != "torch":
        return word
    return ops.bitwise_and(word, _word(_MASK))


def _mix(word, key=None):
    """Scramble 32-bit words, by C. Wellons' low-bias hash (two multiplications, three shifts)."""
    word = _wrap(word)
    word = _wrap(ops.bitwise_xor(word, ops.right_shift(word, _word(16))) * _word(0x21F0AAAD))
    if key is not None:
        word = ops.bitwise_xor(word, key)
    word = _wrap(ops.bitwise_xor(word, ops.right_shift(word, _word(15))) * _word(0xD35A2D97))
    return ops.bitwise_xor(word, ops.right_shift(word, _word(15)))


def _bits(shape, seed):
    """Random 32-bit words, as many as `shape` has, as a vector."""
    seed = as_seed(seed)
    counter = ops.cast(ops.arange(_size(shape), dtype="int32"), "uint32")
    if seed.shape[0] == 3:
        counter = counter + seed[2] * ops.cast(ops.convert_to_tensor(_size(shape[1:])), "uint32")
    return _mix(counter * _word(_GOLDEN) + seed[0], key=seed[1])


def _unit(shape, seed):
    """Floats in [0, 1), multiples of 2^-24."""
    bits = ops.right_shift(_bits(shape, seed), _word(8))
    # By way of int32: casting unsigned numbers to float is slow on many devices.
    return ops.reshape(ops.cast(ops.cast(bits, "int32"), "float32") * (2.0**-24), shape)


def _size(shape):
    return math.prod(shape) if shape else 1


def uniform(shape, seed, minval=0.0, maxval=1.0):
    """float32 numbers in [minval, maxval).

    Args:
        shape: tuple of ints and scalar tensors.
        seed: anything that `as_seed` takes.
        minval, maxval: floats or tensors that broadcast to `shape`.
    """
    return minval + (maxval - minval) * _unit(shape, seed)


def normal(shape, seed, mean=0.0, stddev=1.0):
    """float32 numbers of the normal distribution, up to 5.4 deviations; arguments as above."""
    # The middle of each step of the uniform numbers, so that neither end is reached.
    draws = 2.0 * _unit(shape, seed) + (2.0**-24 - 1.0)
    # TensorFlow's erfinv adds 1, which rounds to 2 for the very last number: infinity.
    draws = ops.minimum(draws, 1.0 - 2.0**-23)
    return mean + stddev * math.sqrt(2.0) * ops.erfinv(draws)


def integers(shape, seed, minval, maxval):
    """int32 numbers from minval to maxval - 1; arguments as for `uniform`, but integers.

    A range of n numbers is covered evenly to about n / 2^24.
    """
    span = ops.cast(maxval - minval, "float32")
    # The product can round up to the span itself.
    draws = ops.minimum(ops.floor(_unit(shape, seed) * span), span - 1.0)
    return ops.cast(draws, "int32") + minval


def orders(rows, count, seed):
    """int32 `(rows, count)`: in each row the numbers 0..count-1 in random order.

    Args:
        rows: int or scalar tensor.
        count: int.
        seed: anything that `as_seed` takes.
    """
    return ops.cast(ops.argsort(_unit((rows, count), seed), axis=-1), "int32")
