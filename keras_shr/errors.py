"""The one exception type for mistakes a user can mend."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 2, 100, 100, 40
_LONGEST = 1200


class KerasShrError(ValueError):
    """A file, record or argument that a user has to change; the message is one clear line.

    Say which file and record, which value was found and what would have been right. Of a message
    that a file's own text has made very long, the beginning and the end are kept.
    """

    def __init__(self, message: object = ""):
        text = str(message)
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST - 300]} ... {text[-290:]}"
        super().__init__(text)


class DataError(KerasShrError):
    """A file or record of a data set that cannot be read as what it should be."""


class MissingPartError(DataError):
    """A data set that is whole but has no part of the name that was asked for, such as `val`."""


def first_line(error) -> str:
    """What any exception says, as one line; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(value) -> str:
    """A value from a file as an error quotes it: on one line, short, whatever it is."""
    try:
        return " ".join(_SHORT.repr(value).split())
    except ValueError:  # Python does not write integers of more than 4300 digits
        return f"a {type(value).__name__} that is too long to show"
