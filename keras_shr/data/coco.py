"""Keypoint annotations in COCO's JSON."""

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
from keras_shr.data.images import MAX_PIXELS, read_image
from keras_shr.data.places import inside
from keras_shr.data.records import in_one_pixel, picture_group
from keras_shr.data.rectangles import refuse_corners, square_around
from keras_shr.errors import DataError, KerasShrError, first_line, shown
from keras_shr.files import read_users_json
from keras_shr.skeletons import Skeleton, mirror_pairs, numbered_keypoints


class COCOReader(Reader):
    """One record for each annotation of a COCO keypoint file.

    The annotation's box is made square around its middle, `padding` times its longer side, and
    cropped. Crowds (`iscrowd`) and annotations without a labelled keypoint are left out; those of
    one file are one group. Names and bones come from the category; keypoints whose names differ in
    left and right are each other's mirror image, unless others differ in a number alone (`jaw_0`,
    `jaw_1`): then `skeleton` has to say how they mirror. Visibility is kept; a keypoint's integer
    position is a pixel's centre, while boxes are measured from the picture's corner, as COCO does.

    Args:
        annotations: the JSON file.
        images_root: the folder that its `file_name`s are relative to; None: the JSON's folder.
        size: height and width of the crops in pixels.
        padding: factor on the longer side of the box.
        category: names or ids of the categories, one or a list; by default all that have keypoints,
            which have to be the same ones.
        skeleton: a JSON file (`Skeleton.to_dict`) of the same keypoints, whose names, bones and
            mirror pairs are used instead.
        max_pixels: refuse pictures with more pixels than this, before they are decoded.

    Raises:
        DataError: naming the file and the annotation, or the picture, that is not as COCO says.
    """

    kind = "coco"

    def __init__(
        self,
        annotations,
        images_root=None,
        size=256,
        padding=1.25,
        category=None,
        skeleton=None,
        max_pixels=MAX_PIXELS,
    ):
        path = self._annotations = Path(annotations)
        self.images_root = path.parent if images_root is None else Path(images_root)
        if not self.images_root.is_dir():
            raise DataError(f"{self.images_root}: no such folder of pictures")
        self.padding = float(padding)
        self.max_pixels = whole_number("max_pixels", max_pixels, 1)
        content = _read_json(path)
        chosen = _categories(path, content["categories"], category)
        skeleton = _skeleton(path, chosen[0], skeleton)
        pictures = _pictures(path, content["images"])
        wanted = [one["id"] for one in chosen]
        self._records, ids = [], []
        for number, annotation in enumerate(content["annotations"]):
            if annotation.get("category_id") not in wanted or annotation.get("iscrowd"):
                continue
            # Keypoints speak for themselves: tools leave their number at 0 or null.
            if not annotation.get("keypoints") and not annotation.get("num_keypoints"):
                continue
            name = annotation.get("id", f"number {number}")
            where = f"{path} (annotation {_plain(name)})"
            keypoints = _keypoints(annotation, len(skeleton), where)
            if not (keypoints[:, 2] > 0).any():
                continue
            picture = pictures.get(_plain(annotation.get("image_id")))
            if picture is None or not isinstance(picture.get("file_name"), str):
                raise DataError(
                    f"{where}: image_id {shown(annotation.get('image_id'))} is no picture with a "
                    "file_name in 'images'"
                )
            self._records.append((picture, _box(annotation, where), keypoints))
            ids.append(f"{picture['file_name']}#{_plain(name)}")
        if len(set(ids)) != len(ids):
            raise DataError(f"{path}: two annotations of one picture have the same id")
        _, boxes, labels = zip(*self._records, strict=True) if ids else ((), (), ())
        refuse_corners(boxes, labels, path)
        self._normalised = bool(ids) and in_one_pixel(np.stack(labels))
        names = [_plain(one.get("name", one["id"])) for one in chosen]
        # One is written as it always was, so that what was prepared of it goes on.
        options = {"category": names[0] if len(names) == 1 else names, "padding": self.padding}
        super().__init__(f"coco-{path.stem}", skeleton, size, ids, "", options)

    def labels(self):
        return digest([[p["file_name"], box, labels] for p, box, labels in self._records])

    def _read(self, index):
        picture, rectangle, keypoints = self._records[index]
        record = self.ids[index]
        where = f"{self._annotations} (record {record})"
        path = inside(self.images_root, picture["file_name"], where)
        image = read_image(path, record, self.max_pixels)
        stated = (picture.get("height"), picture.get("width"))
        if None not in stated and image.shape[:2] != tuple(map(_whole, stated)):
            raise DataError(
                f"{path} (record {record}): {image.shape[1]}x{image.shape[0]} pixels; the "
                f"annotation file says {shown(stated[1])}x{shown(stated[0])}, so the keypoints "
                "would not fit"
            )
        if self._normalised:
            refuse_shares_of(image, path, self._annotations)
        box = square_around(rectangle, image, self.padding, where)
        group = picture_group(picture["file_name"])  # two 'images' may be one picture
        return self._cut(index, path, image, box, keypoints, group)


def _read_json(path):
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    content = read_users_json(path)
    for key in ("images", "annotations", "categories"):
        value = content.get(key) if isinstance(content, dict) else None
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise DataError(f"{path}: no list of objects {key!r}, as COCO's keypoint files have")
    return content


def _plain(value):
    """An id or a name as COCO has them, a number or a text; anything else as short text."""
    if isinstance(value, int) and abs(value) < 10**18:
        return value
    return value if isinstance(value, str) and value.isprintable() else shown(value)


def _pictures(path, images):
    """Id → picture."""
    found: dict = {}
    for picture in images:
        if found.setdefault(_plain(picture.get("id")), picture) is not picture:
            raise DataError(f"{path}: two images have the id {shown(picture.get('id'))}")
    return found


def _whole(value):
    """A number that some tools write as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _categories(path, categories, wanted):
    having = [c for c in categories if c.get("keypoints") and "id" in c]
    names = ", ".join(str(_plain(c.get("name", c["id"]))) for c in having[:20]) or "none"
    if wanted is None:
        chosen = having
    else:
        chosen = []
        for one in wanted if isinstance(wanted, list | tuple) else [wanted]:
            found = [c for c in having if one in (c.get("name"), c["id"], str(_plain(c["id"])))]
            if len(found) != 1:
                raise DataError(f"{path}: no category {one!r} with keypoints; there are: {names}")
            chosen += found
    if not chosen or any(c["keypoints"] != chosen[0]["keypoints"] for c in chosen):
        unlike = ", unlike ones" if chosen else ""
        raise DataError(
            f"{path}: {len(chosen)} categories have keypoints{unlike}; name one; there are: {names}"
        )
    return chosen


def _skeleton(path, category, file):
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise DataError(f"{path}: the category's keypoints are not a list of names")
    if file is not None:
        skeleton = read_skeleton(file)
        if len(skeleton) != len(names):
            raise DataError(
                f"{file}: {len(skeleton)} keypoints; those of {path} are {len(names)}: "
                f"{shown(names)}"
            )
        return skeleton
    bones = category.get("skeleton") or []
    try:
        edges = tuple((int(a) - 1, int(b) - 1) for a, b in bones)
        from_zero = any(0 in pair for pair in bones)
        name = str(_plain(category.get("name", "coco")))
        if from_zero:
            raise KerasShrError(f"it has {next(p for p in bones if 0 in p)}; COCO counts from 1")
        pairs = mirror_pairs(names)
        # Where some have no counterpart but a number, the names do not say how the set mirrors.
        if numbered_keypoints(names) - {i for pair in pairs for i in pair}:
            pairs = []
        return Skeleton(name, tuple(names), edges, tuple(pairs))
    except (TypeError, ValueError, OverflowError) as error:  # a KerasShrError is a ValueError
        reason = first_line(error)
        raise DataError(f"{path}: the category's skeleton does not fit ({reason})") from None


def _keypoints(annotation, count, where):
    values = annotation.get("keypoints")
    if not isinstance(values, list) or len(values) != 3 * count:
        found = len(values) if isinstance(values, list) else "no"
        raise DataError(f"{where}: {found} numbers as keypoints, expected {3 * count}")
    rows = [values[i : i + 3] for i in range(0, len(values), 3)]
    return clean_keypoints(rows, count, where)


def _box(annotation, where):
    box = box_numbers(annotation.get("bbox"))
    if box is None:
        raise DataError(
            f"{where}: bbox is {shown(annotation.get('bbox'))}, expected [x, y, width, height] "
            "with a positive size"
        )
    return box
