"""The JSON file that says where in pictures to look."""

from collections import Counter
from pathlib import Path

from keras_shr.errors import KerasShrError
from keras_shr.files import read_users_json
from keras_shr.prediction.sources import OTHER_PICTURES, VIDEOS


def boxes_of_files(path, names):
    """The boxes of each file of `names` (file → its name in predictions.json), found by its path,
    that name or its last part."""
    content, found, used = _read(path), {}, set()
    times = Counter(file.name for file in names)
    for file, name in names.items():
        for key in (str(file), file.as_posix(), name, file.name):
            if key in content:
                if key == file.name != name and times[key] > 1:
                    raise KerasShrError(
                        f"{path}: {key!r} is the name of {times[key]} pictures; write {name!r}"
                    )
                found[file] = content[key]
                used.add(key)
                break
    # A detector may have boxes of pictures and videos that are passed over here.
    passed = {key for key in content if Path(key).suffix.lower() in OTHER_PICTURES | VIDEOS}
    if unknown := set(content) - used - passed:
        raise KerasShrError(f"{path}: {min(unknown)!r} is none of the pictures")
    return found


def first_box(path, source):
    """The one box of a video's first frame."""
    content = _read(path)
    if not isinstance(source, int):
        keys = [key for key in (str(source), Path(source).name) if key in content]
        if not keys:
            raise KerasShrError(f"{path}: has no {Path(source).name!r}, the video's name")
        rows = content[keys[0]]
    else:
        rows = next(iter(content.values()), []) if len(content) == 1 else []
    if len(rows) != 1:
        raise KerasShrError(f"{path}: expected one box, that of the first frame")
    return rows[0]


def _read(path):
    """File name → boxes."""
    content = read_users_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise KerasShrError(
            f"{path}: expected an object {{file name: [[x, y, width, height], ...]}}"
        )
    return content
