"""The manifest of a prepared data set: what is in it and in which files."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_shr.data.shards import SHA256, Shard
from keras_shr.errors import DataError, first_line, shown
from keras_shr.files import read_json, write_json
from keras_shr.skeletons import Skeleton

MANIFEST, IDS = "manifest.json", "ids.txt"
SCHEMA_VERSION = 1
FORMAT = "keras_shr keypoints"


@dataclass(frozen=True)
class Manifest:
    """`manifest.json`, written last: a folder that has one is complete.

    Attributes:
        name, kind, split, options: of the reader that the records came from.
        source: the folder or file they came from, for the record only.
        size: height and width of the images in pixels.
        image_format: `"jpeg"` or `"png"`.
        quality: of the JPEGs, 1 to 100; None for PNG.
        skeleton: of the keypoints.
        ids_sha256: of all ids, one a line.
        shards: the files in order, with records, bytes and SHA-256 of each.
    """

    name: str
    kind: str
    split: str
    options: dict
    source: str
    size: int
    image_format: str
    quality: int | None
    skeleton: Skeleton
    ids_sha256: str
    shards: tuple[Shard, ...] = field(default=())

    @property
    def count(self) -> int:
        """Records in all shards."""
        return sum(shard.records for shard in self.shards)

    def to_dict(self) -> dict:
        """The manifest as JSON values."""
        return {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "count": self.count,
            **asdict(self),
            "skeleton": self.skeleton.to_dict(),
            "shards": [shard._asdict() for shard in self.shards],
        }

    def write(self, folder) -> None:
        """Write `manifest.json` into `folder`."""
        write_json(Path(folder) / MANIFEST, self.to_dict())

    def read_ids(self, folder) -> list[str]:
        """The id of every record, from `ids.txt`.

        Raises:
            DataError: the file is missing or not the one that belongs to this manifest.
        """
        path = Path(folder) / IDS
        try:
            text = path.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, ValueError) as error:
            reason = first_line(error)
            raise DataError(f"{path}: cannot be read ({reason}); prepare it again") from None
        if hashlib.sha256(text.encode()).hexdigest() != self.ids_sha256:
            raise DataError(f"{path}: not the ids of manifest.json; prepare it again")
        ids = text.split("\n")
        if len(ids) != self.count:
            raise DataError(f"{path}: {len(ids)} ids for {self.count} records; prepare it again")
        return ids

    @classmethod
    def read(cls, folder) -> "Manifest":
        """Read and check `manifest.json`.

        Raises:
            DataError: it is missing, damaged, or of another schema version.
        """
        path = Path(folder) / MANIFEST
        value = read_json(path)
        if value is None:
            raise DataError(
                f"{path}: no such file; a prepared data set has one, written when it is complete"
            )
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise DataError(f"{path}: not the manifest of a prepared data set of keras_shr")
        if value.get("schema_version") != SCHEMA_VERSION:
            found = shown(value.get("schema_version"))
            raise DataError(
                f"{path}: schema version {found}; this keras_shr reads {SCHEMA_VERSION}; prepare "
                "it again"
            )
        try:
            return _checked(value)
        except ValueError as error:
            raise DataError(f"{path}: damaged ({error}); prepare it again") from None


def _checked(value) -> Manifest:
    """A manifest from its JSON; a ValueError says what is wrong with it."""
    fields = {}
    for name, (kinds, what) in _FIELDS.items():
        fields[name] = value.get(name)
        if type(fields[name]) not in kinds:
            raise ValueError(f"{name} is {shown(fields[name])}; expected {what}")
    if not SHA256.fullmatch(fields["ids_sha256"]):
        raise ValueError(f"ids_sha256 is {shown(fields['ids_sha256'])}")
    if not 8 <= fields["size"] <= _LARGEST:
        raise ValueError(f"size is {fields['size']}; expected 8 to {_LARGEST} pixels")
    if fields["image_format"] not in ("jpeg", "png"):
        raise ValueError(f"image_format is {shown(fields['image_format'])}")
    fields["skeleton"] = Skeleton.from_dict(fields["skeleton"])
    fields["shards"] = tuple(map(Shard.checked, fields["shards"]))
    manifest = Manifest(**fields)
    if not manifest.shards or len({shard.file for shard in manifest.shards}) < len(manifest.shards):
        raise ValueError("no shards, or one of them listed twice")
    if manifest.count != value.get("count"):
        raise ValueError(
            f"count is {shown(value.get('count'))}, but its shards hold {manifest.count} records"
        )
    return manifest


_LARGEST = 16384  # pixels
_TEXT, _OBJECT = ((str,), "text"), ((dict,), "an object")
_FIELDS = {
    "name": _TEXT,
    "kind": _TEXT,
    "split": _TEXT,
    "options": _OBJECT,
    "source": _TEXT,
    "size": ((int,), "a number of pixels"),
    "image_format": _TEXT,
    "quality": ((int, type(None)), "a number or null"),
    "skeleton": _OBJECT,
    "ids_sha256": _TEXT,
    "shards": ((list,), "a list"),
}
