"""Files that are either the old one or the new one, whenever the process is killed."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from keras_shr.errors import DataError, KerasShrError, first_line, shown

_PARTIAL, _REPLACED = ".partial-", ".replaced-"
_LEFTOVER = re.compile(rf"({re.escape(_PARTIAL)}|{re.escape(_REPLACED)})\d+-(.+)", re.DOTALL)
_MARK, _DIGEST = 32, 9  # characters: at least those of a mark with its process, and of a digest
_SHORT = 48  # characters of names that are no trouble with a mark in front, whatever they are
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@contextlib.contextmanager
def replacing(path):
    """A temporary path in the same folder to write to; it becomes `path` when the block ends.

    Raises:
        OSError: with `path` and the cause, where the disk is full, read-only or not to be written.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = _beside(path, _PARTIAL)
    try:
        with named_storage_errors(path, temporary):
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # where it cannot be removed, the first error says why
            temporary.unlink()


@contextlib.contextmanager
def replacing_folder(path):
    """A temporary name beside `path` for a new folder; it becomes `path` when the block ends well.

    What was there is deleted: check before that it is what the new folder replaces.

    Raises:
        OSError: as `replacing`.
    """
    path = Path(path)
    make_folder(path.parent)
    remove_leftovers(path.parent, path.name)
    temporary, old = _beside(path, _PARTIAL), _beside(path, _REPLACED)
    try:
        with named_storage_errors(path, temporary):
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with open(file, "rb+") as opened:
                        os.fsync(opened.fileno())
            # A folder cannot be replaced in one step; the old one stands until the new one is
            # whole.
            if path.exists():
                os.replace(path, old)
            os.replace(temporary, path)
    finally:
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _beside(path, mark):
    # Keras and NumPy tell formats by the end of a name, so the mark stands in front.
    return path.with_name(f"{mark}{os.getpid()}-{_marked(path.name)}")


def _marked(name):
    """What a mark is put in front of: the name, or the end of one so long that a mark would not
    fit. For what is added as many characters go, so that it fits wherever the name does."""
    if len(name) <= _SHORT:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[: _DIGEST - 1]
    return f"{digest}-{name[_MARK + _DIGEST :]}"


def remove_leftovers(folder, name=None):
    """Remove what killed runs left of their attempts to write into `folder`.

    Only for what no other process is writing. A folder that was moved away and not replaced yet
    is put back.

    Args:
        folder: need not exist.
        name: of one file or folder in it; None for all.
    """
    folder = Path(folder)
    for leftover in folder.iterdir() if folder.is_dir() else ():
        found = _LEFTOVER.fullmatch(leftover.name)
        if found is None or (name is not None and _marked(name) != found[2]):
            continue
        place = folder / (name or found[2])
        if found[1] == _REPLACED and not place.exists():
            os.replace(leftover, place)
        elif leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def make_folder(path):
    """Make a folder and those above it.

    Raises:
        KerasShrError: a file stands in the way.
        OSError: anything else.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                raise _not_a_folder(place) from None
        raise


def check_writable(path):
    """Refuse an output folder that will not take a file, before an hour's work for it.

    Makes nothing. A disk may still become full.

    Raises:
        KerasShrError: naming the folder, or the file that stands in its place.
    """
    path = Path(path).absolute()
    place = next(p for p in (path, *path.parents) if os.path.lexists(p))
    if not place.is_dir():
        raise _not_a_folder(place)
    if not os.access(place, os.W_OK | os.X_OK):
        raise KerasShrError(f"{place}: cannot be written to (read-only, or no permission)")


def check_space(path, size):
    """Refuse to write `size` bytes to `path` where the disk has fewer left.

    For libraries that make a mess of a disk that becomes full while they write.

    Raises:
        OSError: as writing it would.
    """
    if shutil.disk_usage(Path(path).parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def is_storage_error(error) -> bool:
    """Whether an exception says that the disk takes no more, whatever is written to it."""
    return isinstance(error, OSError) and error.errno in _STORAGE


def _not_a_folder(place):
    return KerasShrError(f"{place}: is a file; give a folder")


@contextlib.contextmanager
def named_storage_errors(path, temporary=None):
    """Lets errors of writing `temporary` (`path` itself by default) say `path` and their cause.

    Python names no file where a write fails; HDF5 and TensorFlow raise exceptions of their own, in
    whose text the cause stands somewhere.

    Raises:
        OSError: in the place of such an error; others pass.
    """
    try:
        yield
    except Exception as error:
        code = _cause(error, str(temporary or path))
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error


def _cause(error, temporary):
    """The number of the system's error in writing `temporary`, or None for anything else."""
    if isinstance(error, KerasShrError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        ours = any(name.startswith(temporary) for name in names)
        return error.errno if ours or (not names and error.errno in _STORAGE) else None
    return next((code for code in _STORAGE if os.strerror(code) in str(error)), None)


def write_text(path, text):
    """Write UTF-8 text to `path` by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path, content):
    """Write bytes to `path` by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path, value):
    """Write indented JSON to `path` by way of a temporary file."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_users_json(path):
    """The content of a JSON file that a user wrote, as some editors do with a byte order mark.

    Raises:
        DataError: it is not JSON.
        OSError: it cannot be read.
    """
    return _json(path, "utf-8-sig")


def file_sha256(path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path, fields=None):
    """The content of a JSON file of ours, or None where there is no such file.

    Args:
        path: the file.
        fields: key → `(fits, what)` for an object that is relied on: `fits(value)`, of None where
            there is no such key, and in words what is right. None takes any content.

    Raises:
        DataError: it is not JSON, or not such an object.
    """
    advice = "; remove the file to start over"
    try:
        found = _json(path, "utf-8", advice)
    except FileNotFoundError:
        return None
    if fields is not None and not isinstance(found, dict):
        raise DataError(f"{path}: holds {shown(found)}, expected an object{advice}")
    for key, (fits, what) in (fields or {}).items():
        if not fits(found.get(key)):
            raise DataError(f"{path}: {key} is {shown(found.get(key))}, expected {what}{advice}")
    return found


def _json(path, encoding, advice=""):
    try:
        return json.loads(Path(path).read_text(encoding=encoding))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({first_line(error)}){advice}") from None
