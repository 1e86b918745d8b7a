"""The manifest of a prepared data set: what is in it and in which files."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_shr.data.shards import Shard
from keras_shr.errors import DataError, KerasShrError
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
            raise DataError(f"{path}: cannot be read ({error}); prepare it again") from None
        if hashlib.sha256(text.encode()).hexdigest() != self.ids_sha256:
            raise DataError(f"{path}: not the ids of manifest.json; prepare it again")
        return text.split("\n")

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
            raise DataError(
                f"{path}: schema version {value.get('schema_version')}; this keras_shr reads "
                f"{SCHEMA_VERSION}; prepare it again"
            )
        try:
            shards = tuple(Shard(**shard) for shard in value["shards"])
            fields = {name: value[name] for name in cls.__dataclass_fields__}
            skeleton = Skeleton.from_dict(value["skeleton"])
            manifest = cls(**(fields | {"skeleton": skeleton, "shards": shards}))
            consistent = manifest.count == value["count"]
        except (KeyError, TypeError, KerasShrError) as error:
            raise DataError(f"{path}: damaged ({type(error).__name__}: {error})") from None
        if not consistent:
            raise DataError(
                f"{path}: count is {value['count']}, but its shards hold {manifest.count} records"
            )
        return manifest
