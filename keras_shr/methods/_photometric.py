"""AugMix's photometric operations, as tables from grey level to grey level.

Autocontrast, equalise, posterise and solarise (as in Pillow's `ImageOps`) all send a pixel to a
value that depends on its level and on its channel's histogram alone. So a chain of them is one
table of 256 entries for each channel: chains are worked out on tables, whatever the image's size,
and the picture is looked up once. All shapes are static, as XLA wants them.

Tables are int32 `(rows, 256)`, one row for each channel of each chain; entry v is what level v has
become. `counts`, of the same shape, says how many pixels had level v at first.
"""

from keras import ops

LEVELS = 256
OPERATIONS = ("autocontrast", "equalize", "posterize", "solarize")


def grey_levels(images):
    """int32 levels 0..255 nearest to the values of float images."""
    return ops.cast(ops.floor(ops.clip(images, 0.0, 255.0) + 0.5), "int32")


def _row_index(values, rows):
    """Where row r's level v lies in a flattened `(rows, 256)` table."""
    return values + LEVELS * ops.arange(rows, dtype="int32")[:, None]


def histograms(levels):
    """int32 `(rows, 256)` counts of the levels in each row of `(rows, pixels)`."""
    rows = ops.shape(levels)[0]
    index = ops.reshape(_row_index(levels, rows), (-1,))
    counts = ops.segment_sum(ops.ones_like(index), index, num_segments=rows * LEVELS)
    return ops.reshape(counts, (rows, LEVELS))


def autocontrast(table, counts):
    """Stretches each row's present levels to 0..255."""
    present = counts > 0
    low = ops.min(ops.where(present, table, LEVELS - 1), axis=1, keepdims=True)
    high = ops.max(ops.where(present, table, 0), axis=1, keepdims=True)
    stretched = (table - low) * (LEVELS - 1) // ops.maximum(high - low, 1)
    return ops.where(high > low, ops.clip(stretched, 0, LEVELS - 1), table)


def equalize(table, counts):
    """Spreads each row's pixels evenly over the levels."""
    rows = ops.shape(table)[0]
    index = ops.reshape(_row_index(table, rows), (-1,))
    now = ops.segment_sum(ops.reshape(counts, (-1,)), index, num_segments=rows * LEVELS)
    now = ops.reshape(now, (rows, LEVELS))
    below = ops.cumsum(now, axis=1) - now
    # The pixels below the highest level that is present are spread over 255 steps.
    spread = ops.max(ops.where(now > 0, below, 0), axis=1, keepdims=True)
    step = spread // (LEVELS - 1)
    even = (below + step // 2) // ops.maximum(step, 1)
    even = ops.take_along_axis(ops.minimum(even, LEVELS - 1), table, axis=1)
    return ops.where(step > 0, even, table)


def posterize(table, bits):
    """Keeps the highest `bits` bits; `bits` is int32 `(rows, 1)`."""
    step = ops.left_shift(ops.ones_like(bits), 8 - bits)
    return table // step * step


def solarize(table, threshold):
    """Inverts the levels from `threshold`, int32 `(rows, 1)`, up."""
    return ops.where(table < threshold, table, LEVELS - 1 - table)


def operate(table, counts, operation, level):
    """One operation, another one for each row.

    Args:
        table, counts: see above.
        operation: int32 `(rows, 1)`, index into `OPERATIONS`.
        level: float32 `(rows, 1)`, strength of 10 as in AugMix's code: posterise keeps
            `4 - int(0.4 * level)` bits, solarise starts at `256 - int(25.6 * level)`.
    """
    bits = 4 - ops.cast(level * 0.4, "int32")
    threshold = LEVELS - ops.cast(level * 25.6, "int32")
    results = (
        autocontrast(table, counts),
        equalize(table, counts),
        posterize(table, bits),
        solarize(table, threshold),
    )
    for number, result in enumerate(results):
        table = ops.where(operation == number, result, table)
    return table


def look_up(tables, levels):
    """Float `(rows, 256)` tables at `(rows, pixels)` levels."""
    index = _row_index(levels, ops.shape(levels)[0])
    return ops.take(ops.reshape(tables, (-1,)), index)
