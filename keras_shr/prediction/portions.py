"""Many pictures, a few at a time."""

_AT_ONCE = 64
_BYTES_AT_ONCE = 500_000_000  # of decoded pictures: 64 of a telephone would be 2.3 GB


def portions(pictures):
    """Lists of tuples, the first of which is a picture, that fit into the memory together.

    Each list is empty again as soon as the next is asked for.
    """
    portion: list[tuple] = []
    size = 0
    for one in pictures:
        portion.append(one)
        size += one[0].nbytes
        if len(portion) == _AT_ONCE or size >= _BYTES_AT_ONCE:
            yield portion
            portion.clear()
            size = 0
    if portion:
        yield portion
