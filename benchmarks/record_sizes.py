"""Bytes and processor time of a prepared image, by kind of picture and side.

    python -m benchmarks.record_sizes folder:../shared/real_hands "rendered:100?seed=1" \\
        --output results/record_sizes.csv

Some records of each set, evenly spread, go through `prepare` in one process: for pictures in files
that is reading, cutting out, scaling and encoding as JPEG of quality 95; rendered hands are drawn
as well. Beside it stand what the manifest and `ids.txt` take, and the pace of SHA-256.
"""

import argparse
import csv
import datetime
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import processor_and_cores
from benchmarks.scale import versions
from keras_shr.data import PartReader, open_data, prepare
from keras_shr.files import replacing

FIELDS = (
    *("data", "image_size", "images", "bytes_per_image", "cpu_ms_per_image"),
    *(
        "manifest_bytes_per_shard",
        "id_bytes_per_image",
        "sha256_gb_per_s",
        "machine",
        "versions",
        "date",
        "command",
    ),
)


def measure(spec, size, count):
    """What `count` records of a data set take."""
    reader = open_data(spec, None, size)
    chosen = np.linspace(0, len(reader) - 1, min(count, len(reader))).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        manifest = prepare(PartReader(reader, chosen), folder, workers=1)
        took = time.process_time() - start
        # The description of a part names each of its records' readers; a shard's entry does not.
        entry = (Path(folder) / "manifest.json").read_text().partition('"shards": [')[2]
        ids = (Path(folder) / "ids.txt").stat().st_size
    written = sum(shard.bytes for shard in manifest.shards)
    return {
        "images": manifest.count,
        "bytes_per_image": round(written / manifest.count),
        "cpu_ms_per_image": f"{1000 * took / manifest.count:.2f}",
        "manifest_bytes_per_shard": len(entry) // len(manifest.shards),
        "id_bytes_per_image": f"{ids / manifest.count:.1f}",
    }


def sha256_pace():
    """Gigabytes a second."""
    data = np.random.default_rng(0).bytes(1 << 28)
    start = time.process_time()
    hashlib.sha256(data).digest()
    return len(data) / 1e9 / (time.process_time() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="data sets as `open_data` takes them")
    parser.add_argument("--sizes", nargs="+", type=int, default=[96, 128, 256])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("results/record_sizes.csv"))
    options = parser.parse_args()
    pace = sha256_pace()
    rows = []
    for spec in options.data:
        for size in options.sizes:
            row = {"data": spec, "image_size": size} | measure(spec, size, options.count)
            row |= {
                "sha256_gb_per_s": f"{pace:.2f}",
                "machine": processor_and_cores(),
                "versions": versions("numpy"),
                "date": datetime.date.today().isoformat(),
                "command": " ".join(["python -m benchmarks.record_sizes", *sys.argv[1:]]),
            }
            rows.append(row)
            print({name: row[name] for name in FIELDS[:8]}, file=sys.stderr, flush=True)
    with replacing(options.output) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
