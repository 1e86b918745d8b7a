"""Files that somebody else's data name: only those inside the data set's folder are opened."""

import os
from pathlib import Path

from keras_shr.errors import DataError, shown

FOLLOW_LINKS = "KERAS_SHR_FOLLOW_LINKS"
"""Environment variable: with the value 1, links may lead out of a data set's folder."""


def inside(root, name: str, where: str) -> Path:
    """The path of the file `name` of a data set in the folder `root`.

    Args:
        root: the folder.
        name: relative to it, or absolute.
        where: what names it, with which errors begin, such as "index.jsonl:7".

    Raises:
        DataError: the file lies outside the folder: `..`, an absolute name, another drive, or a
            link that leads away. It has not been opened.
    """
    path = Path(root) / name
    try:
        lies_in = _below(os.path.abspath(path), os.path.abspath(root))
        if lies_in and os.environ.get(FOLLOW_LINKS) != "1":
            target = os.path.realpath(path)
            if not _below(target, os.path.realpath(root)):
                raise DataError(
                    f"{where}: {path} is a link to {target}, outside the folder; not followed "
                    f"unless {FOLLOW_LINKS}=1"
                )
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: {shown(name)} is no file name") from None
    if not lies_in:
        raise DataError(
            f"{where}: {shown(name)} lies outside {root}; files of a data set are inside it"
        )
    return path


def _below(path, folder):
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # on another drive
        return False


def usable_text(value, what: str) -> str:
    """`value` if it is text that can be a name in a list of names, one a line.

    Raises:
        DataError: it is no text, is empty or too long, or holds what UTF-8 or a line cannot.
    """
    text = value if isinstance(value, str) else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = ""
    if not 0 < len(text) <= 1000 or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise DataError(f"{what} is {shown(value)}; expected text on one line")
    return text
