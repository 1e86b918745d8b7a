"""Any reader → a folder of TFRecord shards and a manifest."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from keras_shr._cores import cores
from keras_shr.data.base import Reader, digest
from keras_shr.data.examples import decode_example, encode_example
from keras_shr.data.images import encode_image
from keras_shr.data.manifest import (
    IDS,
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
)
from keras_shr.data.shards import Shard, check_shard, scan_shard, write_shard
from keras_shr.data.workers import run_tasks
from keras_shr.errors import DataError
from keras_shr.files import (
    file_sha256,
    make_folder,
    read_json,
    remove_leftovers,
    write_json,
    write_text,
)

RECORDS_PER_SHARD = 512
_JOURNAL = "prepare.json"


def prepare(
    reader: Reader,
    output,
    shards: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    image_format: str = "jpeg",
    quality: int = 95,
    source: str = "",
) -> Manifest:
    """Write every record of `reader` into TFRecord shards under `output`.

    The shards hold the records in the reader's order, and their bytes do not depend on `workers`.
    Each appears under its name only when it is complete, and `manifest.json` only when all are. A
    run that was cut off goes on when it is repeated: finished shards whose checksum is right are
    kept, all others written anew.

    Args:
        reader: any reader.
        output: the folder, made if it is missing.
        shards: number of files; None takes one for every 512 records.
        workers: processes that each write a shard at a time; 0 takes one for each core.
        progress: called with (records done, records in all) after each shard.
        image_format: `"jpeg"` or `"png"` (exact, about five times as large).
        quality: of the JPEGs.
        source: where the records came from, noted in the manifest.

    Raises:
        DataError: a record cannot be read, or `output` holds another data set.
    """
    if image_format not in ("jpeg", "png"):
        raise DataError(f"image_format is {image_format!r}; expected 'jpeg' or 'png'")
    count = len(reader)
    shards = -(-count // RECORDS_PER_SHARD) if shards is None else shards
    if not 1 <= shards <= count:
        raise DataError(f"{shards} shards for {count} records; expected 1 to {count}")
    quality = quality if image_format == "jpeg" else None
    output = Path(output)
    plan: dict = {"schema_version": SCHEMA_VERSION, "shards": shards, "image_format": image_format}
    # Corrected labels are other data: shards of both would be mixed.
    plan |= {"quality": quality, **reader.describe(), "labels": reader.labels()}
    journal = _open_journal(output, plan)

    finished = _intact_shards(output, journal, reader, shards)
    tasks = [i for i in range(shards) if str(i) not in finished]
    done = sum(shard.records for shard in finished.values())
    if progress is not None:
        progress(done, count)
    shared = (reader, str(output), shards, image_format, quality)
    _write_journal(output, journal, finished)
    written = run_tasks(_write_one, tasks, shared, workers or cores())
    try:
        with contextlib.closing(written):
            for index, shard in written:
                finished[str(index)] = shard
                _write_journal(output, journal, finished)
                done += shard.records
                if progress is not None:
                    progress(done, count)
    finally:
        remove_leftovers(output)  # of workers that were ended in the middle of a shard
    manifest = Manifest(
        name=reader.name,
        kind=reader.kind,
        split=reader.split,
        options=reader.options,
        source=str(source),
        size=reader.size,
        image_format=image_format,
        quality=quality,
        skeleton=reader.skeleton,
        ids_sha256=plan["ids_sha256"],
        shards=tuple(finished[str(i)] for i in range(shards)),
    )
    write_text(output / IDS, "\n".join(reader.ids) + "\n")
    manifest.write(output)
    return manifest


def shard_name(index: int, shards: int) -> str:
    """File name of a shard."""
    return f"shard-{index:05d}-of-{shards:05d}.tfrecord"


def shard_range(index: int, shards: int, count: int) -> range:
    """The records in shard `index`: neighbours, as even as can be."""
    return range(index * count // shards, (index + 1) * count // shards)


def encode_record(record, index: int, image_format: str, quality: int | None) -> bytes:
    """One record as a serialised Example: schema version 1."""
    return encode_example(
        {
            "image": encode_image(record.image, image_format, quality or 0),
            "keypoints": record.keypoints.reshape(-1),
            "id": record.id,
            "group": record.group,
            "index": index,
        }
    )


def _write_one(shared, index):
    reader, output, shards, image_format, quality = shared
    messages = (
        encode_record(reader[i], i, image_format, quality)
        for i in shard_range(index, shards, len(reader))
    )
    return write_shard(Path(output) / shard_name(index, shards), messages)


def _open_journal(output, plan):
    """The list of shards that are finished, kept beside them; new if there is none yet."""
    make_folder(output)
    remove_leftovers(output)
    path = output / _JOURNAL
    fingerprint = digest(plan)
    journal = read_json(path)
    if journal is None:
        if any(output.iterdir()):
            raise DataError(f"{output}: not empty and not begun by prepare; give a new folder")
        journal = {"plan_sha256": fingerprint, "plan": plan, "finished": {}}
        write_json(path, journal)
    elif not isinstance(journal, dict) or journal.get("plan_sha256") != fingerprint:
        old = journal.get("plan") if isinstance(journal, dict) else None
        old = old if isinstance(old, dict) else {}
        changed = [k for k in plan if old.get(k) != json.loads(json.dumps(plan[k]))]
        what = ", ".join(changed) or "the version of keras_shr that began it"
        raise DataError(
            f"{output}: holds another data set (differs in {what}); "
            "give a new folder or delete this one"
        )
    return journal


def _write_journal(output, journal, finished):
    journal["finished"] = {i: finished[i]._asdict() for i in sorted(finished, key=int)}
    write_json(output / _JOURNAL, journal)


def _intact_shards(output, journal, reader, shards):
    """Shards whose files are as they were written; a damaged one takes the manifest away, since
    the folder is not complete any more. A file that was renamed just before a kill is not in the
    journal yet: it is kept if all its records are whole and the right ones."""
    intact, written = {}, journal.get("finished")
    written = written if isinstance(written, dict) else {}
    for index in range(shards):
        path = output / shard_name(index, shards)
        records = shard_range(index, shards, len(reader))
        try:
            if str(index) in written:
                known = {"file": path.name, "records": len(records)}
                shard = Shard.checked(written[str(index)] | known)
                check_shard(output, shard)
            elif path.exists():
                shard = _examined(path, records, reader)
            else:
                continue
        except (ValueError, TypeError):  # DataError is a ValueError
            (output / MANIFEST).unlink(missing_ok=True)
        else:
            intact[str(index)] = shard
    return intact


def _examined(path, indices, reader):
    records = [data for _, data in scan_shard(path)]
    ids = [decode_example(data).get("id") for data in records]
    if ids != [reader.ids[i].encode() for i in indices]:
        raise DataError(f"{path}: not the records {indices.start} to {indices.stop - 1}")
    return Shard(path.name, len(records), path.stat().st_size, file_sha256(path))
