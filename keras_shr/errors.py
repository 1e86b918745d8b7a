"""The one exception type for mistakes a user can mend."""


class KerasShrError(ValueError):
    """A file, record or argument that a user has to change; the message is one clear line.

    Say which file and record, which value was found and what would have been right.
    """


class DataError(KerasShrError):
    """A file or record of a data set that cannot be read as what it should be."""


def first_line(error) -> str:
    """What any exception says, as one line; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
