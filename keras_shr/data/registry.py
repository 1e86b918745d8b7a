"""Data sets by name, by specification, or by what a folder looks like."""

import inspect
from pathlib import Path
from urllib.parse import parse_qsl

from keras_shr.data.base import Reader
from keras_shr.data.coco import COCOReader
from keras_shr.data.folder import INDEX, FolderReader
from keras_shr.data.joined import JoinedReader
from keras_shr.data.manifest import MANIFEST
from keras_shr.data.prepared import PreparedReader
from keras_shr.data.rendered import RenderedReader
from keras_shr.data.rhd import RHDReader
from keras_shr.data.stb import STBReader
from keras_shr.errors import DataError, MissingPartError

READERS = {
    "rhd": RHDReader,
    "stb": STBReader,
    "coco": COCOReader,
    "folder": FolderReader,
    "rendered": RenderedReader,
    "prepared": PreparedReader,
}
"""Every kind of data set. `root` is its first argument."""

_WHOLE = {"size", "seed", "start", "stride", "max_pixels"}
_NUMBERS = {"padding"}
_LISTS = {"groups", "subset", "category"}
_WITHOUT_SPLIT = ("coco", "prepared")


def open_reader(kind: str, root, **options) -> Reader:
    """The reader of `kind`, such as `open_reader("stb", "STB", split="test", sensor="SK")`.

    Args:
        kind: a key of `READERS`.
        root: the folder, the annotation file (coco) or the number of hands (rendered).
        **options: of that reader.

    Raises:
        DataError: an unknown kind or option, or data that are not what they should be.
    """
    try:
        reader = READERS[kind]
    except KeyError:
        raise DataError(f"no kind of data {kind!r}; there are {', '.join(READERS)}") from None
    known = list(inspect.signature(reader).parameters)[1:]
    for option in options:
        if option not in known:
            raise DataError(f"{kind} has no option {option!r}; it has {', '.join(known)}")
    return reader(root, **options)


def open_data(spec, split: str | None = None, size: int | None = None) -> Reader:
    """The data set that `spec` means.

    Args:
        spec: a reader (returned as it is); `KIND:PLACE?option=value&...`, such as
            `"folder:hands?subset=rooms,digits"`, `"rendered:1000?seed=3"` or
            `"coco:person.json?images_root=val2017"`; or a path, whose kind is guessed from what
            lies there. A prepared data set is read as such; where `PATH/SPLIT` holds one, that.
            A list or tuple of these is one data set, its parts one after the other.
        split: the part to read, in the reader's words or as train, val or test. None: what the
            specification says, else the reader's default. Kinds without splits ignore it, but a
            prepared data set of another split is refused.
        size: height and width of the images; None: what the specification says, else 256, or for
            a prepared data set whatever it was prepared with.

    Raises:
        MissingPartError: a data set that is there, without the part.
        DataError: what else was looked for and not found, or is not what it should be.
    """
    if isinstance(spec, Reader):
        return spec
    if isinstance(spec, list | tuple):
        if not spec:
            raise DataError("an empty list of data sets; name at least one")
        readers = [open_data(part, split, size) for part in spec]
        return readers[0] if len(readers) == 1 else JoinedReader(readers)
    kind, place, options = _parse(str(spec))
    if kind is None:
        kind, place = _guess(Path(place), split)
    if kind == "rendered":
        if not place.isdecimal():
            raise DataError(f"{spec}: expected a number of hands, as in rendered:1000?seed=3")
        place = int(place)
    if split is not None and kind not in _WITHOUT_SPLIT:
        options["split"] = split
    if size is not None:
        options["size"] = size
    reader = open_reader(kind, place, **options)
    if kind == "prepared" and split and reader.split and not same_split(split, reader.split):
        # A folder that is called after the split ought to hold it; any other has no such part.
        error = DataError if Path(str(place)).name == split else MissingPartError
        raise error(
            f"{place}: prepared from the split {reader.split!r}, but {split!r} is asked for"
        )
    return reader


def _parse(spec):
    kind, colon, rest = spec.partition(":")
    if not colon or kind not in READERS:  # a bare path, perhaps with a drive letter
        return None, spec, {}
    place, _, query = rest.partition("?")
    options = {}
    # A plus is one: these are no forms of a web page.
    for key, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        try:
            if key in _WHOLE:
                value = int(value)
            elif key in _NUMBERS:
                value = float(value)
            elif key in _LISTS:
                value = value.split(",")
        except ValueError:
            raise DataError(f"{spec}: {key} is {value!r}; expected a number") from None
        options[key] = value
    return kind, place, options


def _guess(path, split):
    if split and (path / split / MANIFEST).is_file():
        return "prepared", path / split
    if (path / MANIFEST).is_file():
        return "prepared", path
    if (path / INDEX).is_file():
        return "folder", path
    for folder in (path, path / "RHD_published_v2"):
        if any((folder / s / f"anno_{s}.pickle").is_file() for s in ("training", "evaluation")):
            return "rhd", folder
    if any((path / "labels").glob("B[1-6]*_[BS][BK].mat")):
        return "stb", path
    if path.is_file() and path.suffix == ".json":
        return "coco", path
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder, and not a specification such as folder:PATH or "
            f"rendered:1000 (kinds: {', '.join(READERS)})"
        )
    if path.name == INDEX:
        raise DataError(f"{path}: give its folder, {path.parent}")
    parts = sorted(place.parent.name for place in path.glob(f"*/{MANIFEST}"))
    if parts:
        error = MissingPartError if split else DataError  # RHD has no part to validate on
        raise error(
            f"{path}: holds prepared data in {', '.join(parts)}; give one of these folders, or "
            "name it as the split"
        )
    raise DataError(
        f"{path}: cannot tell what data this is; looked for {MANIFEST} (prepared), {INDEX} "
        "(folder), training/anno_training.pickle (rhd), labels/B1Counting_BB.mat (stb), or a "
        ".json file (coco)"
    )


def same_split(one: str, other: str) -> bool:
    """Whether two names mean one part: RHD calls them training and evaluation."""
    usual = {"training": "train", "evaluation": "test"}
    return usual.get(one, one) == usual.get(other, other)
