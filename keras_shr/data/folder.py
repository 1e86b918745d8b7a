"""Any folder of pictures with an `index.jsonl` of keypoints."""

import difflib
import functools
import json
from collections import Counter
from pathlib import Path

import numpy as np

from keras_shr.data.base import (
    Reader,
    box_numbers,
    clean_keypoints,
    digest,
    read_skeleton,
    refuse_shares_of,
    whole_number,
)
from keras_shr.data.images import MAX_PIXELS, SquareBox, read_image
from keras_shr.data.places import inside, usable_text
from keras_shr.data.records import in_one_pixel, picture_group
from keras_shr.data.rectangles import refuse_corners, square_around
from keras_shr.errors import DataError, MissingPartError, first_line, shown
from keras_shr.skeletons import HAND_21, Skeleton

INDEX, SKELETON = "index.jsonl", "skeleton.json"
_KEYS = ("file", "keypoints", "box", "split", "group")
_MEANT = dict.fromkeys(("bboxes", "bounding_box", "boundingbox"), "box")


class FolderReader(Reader):
    """Pictures listed in `index.jsonl`, one JSON object a line:

    ```
    {"file": "rooms/a.jpg", "keypoints": [[x, y, visible], ...], "split": "train", "group": "7"}
    ```

    `file` is relative to the folder. A keypoint is `[x, y]` (seen) or `[x, y, v]`, an integer
    being a pixel's centre. `split`, `group` (person or sequence) and `box` are optional, other keys
    are not looked at. A line without a `split` belongs to the split "train", one without a `group`
    to that of the picture's other lines. With a
    `box` `[x, y, width, height]` the square around it, times `padding`, is cropped; otherwise the
    whole picture is used, a picture that is not square being filled up with black.

    Args:
        root: the folder.
        split: keep only lines with this `split`; None keeps all.
        groups: keep only these values of `group`.
        subset: keep only files in these sub-folders (the first part of `file`).
        size: height and width of the crops in pixels.
        visibility: what `v` means. `"coco"`: 0 no label, 1 hidden, 2 seen. `"flag"`: 0 no label,
            1 seen. `"auto"`: `"coco"` if the index has a 2 as a `v`, else `"flag"`.
        padding: factor on the longer side of `box`.
        max_pixels: refuse pictures with more pixels than this, before they are decoded.

    The skeleton is read from `skeleton.json` in the folder (`Skeleton.to_dict`); without it, 21
    keypoints are a hand and any other number has no names.

    Raises:
        MissingPartError: no line has the `split`.
        DataError: naming the line of the index, or the picture, that is not as above, a key that
            looks like a misspelt one, or a picture with two groups.
    """

    kind = "folder"

    def __init__(
        self,
        root,
        split=None,
        groups=None,
        subset=None,
        size=256,
        visibility="auto",
        padding=1.25,
        max_pixels=MAX_PIXELS,
    ):
        if visibility not in ("auto", "coco", "flag"):
            raise DataError(f"visibility is {visibility!r}; expected 'auto', 'coco' or 'flag'")
        self.root, self.padding = Path(root), float(padding)
        self.max_pixels = whole_number("max_pixels", max_pixels, 1)
        groups, subset = _names(groups), _names(subset)
        entries = _read_index(self.root / INDEX)
        skeleton = _skeleton(self.root, entries[0][1]["keypoints"])
        labels = [
            clean_keypoints(e["keypoints"], len(skeleton), self._where(line, e["file"]))
            for line, e in entries
        ]
        if visibility == "auto":
            written = (k for (_, e), k in zip(entries, labels, strict=True) if _has_v(e))
            visibility = "coco" if any((k[:, 2] == 2).any() for k in written) else "flag"
        self._normalised = in_one_pixel(np.stack(labels))
        groups_of = _groups_of_files(self.root / INDEX, entries)
        self._records, self._lines, ids, splits = [], [], [], set()
        seen: Counter = Counter()
        for (line, entry), keypoints in zip(entries, labels, strict=True):
            if split is not None and _split(entry) != split:
                continue
            file = entry["file"]
            group = groups_of.get(file, "")
            if groups is not None and group not in groups:
                continue
            if subset is not None and Path(file).parts[0] not in subset:
                continue
            if visibility == "flag":
                keypoints[keypoints[:, 2] > 0, 2] = 2
            self._records.append((file, entry.get("box"), group, keypoints))
            self._lines.append(line)
            splits.add(_split(entry))
            seen[file] += 1  # several hands of one picture are several lines
            ids.append(file if seen[file] == 1 else f"{file}#{seen[file]}")
        # Hands of one picture belong together, so that none of them is held out beside another.
        self._records = [
            (file, box, group or (picture_group(file) if seen[file] > 1 else ""), keypoints)
            for file, box, group, keypoints in self._records
        ]
        boxed = [(box, points) for _, box, _, points in self._records if box is not None]
        refuse_corners([b for b, _ in boxed], [k for _, k in boxed], self.root / INDEX)
        if not ids:
            missing = DataError if split is None else MissingPartError
            raise missing(_nothing_left(self.root / INDEX, entries, split, groups, subset))
        parts = [self.root.name or "folder", *(subset or []), *([split] if split else [])]
        options = {"groups": groups, "subset": subset, "visibility": visibility}
        super().__init__(
            "-".join(parts), skeleton, size, ids, split, options | {"padding": self.padding}
        )
        if any(entry.get("split") not in (None, "") for _, entry in entries):
            self.splits = sorted(splits)

    def labels(self):
        return digest(self._records)

    def _where(self, line, record):
        return f"{self.root / INDEX}:{line} (record {record})"

    def _read(self, index):
        (file, rectangle, group, keypoints), record = self._records[index], self.ids[index]
        path = inside(self.root, file, self._where(self._lines[index], record))
        image = read_image(path, record, self.max_pixels)
        if self._normalised:
            refuse_shares_of(image, path, self.root / INDEX)
        if rectangle is None:
            box = SquareBox.of_image(*image.shape[:2])
        else:
            where = self._where(self._lines[index], record)
            box = square_around(box_numbers(rectangle), image, self.padding, where)
        return self._cut(index, path, image, box, keypoints, group)


def _split(entry):
    """A line without a split is for training, beside others that have one too."""
    split = entry.get("split")
    return "train" if split in (None, "") else str(split)


def _group(entry):
    group = entry.get("group")
    return "" if group is None else str(group)


def _groups_of_files(path, entries):
    """File → the group that its lines name; those that name none share it."""
    found: dict = {}
    for line, entry in entries:
        group, file = _group(entry), entry["file"]
        if group and found.setdefault(file, group) != group:
            raise DataError(
                f"{path}:{line} (record {file}): group is {shown(group)}, but another line of this "
                f"file has {shown(found[file])}; one picture needs one group"
            )
    return found


def _has_v(entry):
    """Whether a line that was checked says what is visible."""
    return len(entry["keypoints"][0]) == 3


def _names(value):
    if value is None:
        return None
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _read_index(path):
    """Pairs of a line's number and the object on it, checked for what every line needs."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; a folder of pictures needs one")
    entries = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                # Windows' editors begin a file with a byte order mark.
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if not text.strip():
                    continue
                entry = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{where}: not a line of JSON ({first_line(error)})") from None
            _check(entry, where)
            entries.append((number, entry))
    if not entries:
        raise DataError(f"{path}: no records")
    return entries


def _check(entry, where):
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise DataError(f"{where}: expected an object with a text 'file'")
    where = f"{where} (record {usable_text(entry['file'], f'{where}: file')})"
    _check_keys(entry, where)
    if not isinstance(entry.get("keypoints"), list) or not entry["keypoints"]:
        raise DataError(
            f"{where}: expected a list 'keypoints' of x, y, v; [0, 0, 0] is one without a label"
        )
    for key in ("group", "split"):
        if entry.get(key) is not None and not isinstance(entry[key], str | int | float):
            raise DataError(f"{where}: {key} is {shown(entry[key])}; expected text or a number")
    box = entry.get("box")
    if box is not None and box_numbers(box) is None:
        raise DataError(f"{where}: box is {shown(box)}, expected [x, y, width, height] in pixels")


def _check_keys(entry, where):
    """Refuses a misspelt key; others are for whoever wrote them."""
    for key in entry:
        meant = None if key in _KEYS else _meant(key)
        if meant is not None and meant not in entry:
            raise DataError(f"{where}: no key {shown(key)}; did you mean {meant!r}?")


@functools.lru_cache
def _meant(key):
    close = difflib.get_close_matches(key.lower(), [*_KEYS, *_MEANT], 1, cutoff=0.75)
    return _MEANT.get(close[0], close[0]) if close else None


def _skeleton(root, keypoints):
    path = root / SKELETON
    if not path.is_file():
        return HAND_21 if len(keypoints) == 21 else Skeleton.generic(len(keypoints))
    return read_skeleton(path)


def _nothing_left(path, entries, split, groups, subset):
    def found(values):
        names = sorted({str(v) for v in values})
        return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")

    asked = {"split": split, "groups": groups, "subset": subset}
    asked = ", ".join(f"{k} {v!r}" for k, v in asked.items() if v is not None)
    return (
        f"{path}: no record with {asked}; it has "
        f"the splits {found(_split(e) for _, e in entries)}; "
        f"the groups {found(_group(e) for _, e in entries)}; "
        f"the sub-folders {found(Path(e['file']).parts[0] for _, e in entries)}"
    )
