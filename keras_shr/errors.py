"""The one exception type for mistakes a user can mend."""


class KerasShrError(ValueError):
    """A file, record or argument that a user has to change; the message is one clear line.

    Say which file and record, which value was found and what would have been right.
    """


class DataError(KerasShrError):
    """A file or record of a data set that cannot be read as what it should be."""
