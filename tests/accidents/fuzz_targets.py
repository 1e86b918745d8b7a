"""The targets of fuzzing: each damages a valid input and reads what came of it."""

import contextlib
import dataclasses
import hashlib
import io
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from keras_shr.data import COCOReader, FolderReader, PreparedReader, RHDReader, STBReader, prepare
from keras_shr.data.images import read_image
from keras_shr.data.prepare import encode_record
from keras_shr.data.prepared import decode_record
from keras_shr.data.shards import check_shard, record_offsets, scan_shard
from keras_shr.files import file_sha256
from tests.accidents.damage import damaged_bytes, damaged_json
from tests.small_sets import grey_picture, make_coco, make_folder, make_rhd, make_stb


@dataclasses.dataclass
class Target:
    """Something that reads bytes of unknown origin.

    Attributes:
        damage: makes an input with a `random.Random`.
        read: reads it.
        valid: an undamaged input, which must be read.
        share: how many inputs, where others have 1.
    """

    damage: Callable[[random.Random], bytes]
    read: Callable[[bytes], None]
    valid: bytes
    share: float = 1.0


def _records(reader, most=3):
    for index in range(min(len(reader), most)):
        record = reader[index]
        assert record.image.shape == (reader.size, reader.size, 3)
        assert np.isfinite(record.keypoints).all()
    json.dumps(reader.describe())


def rhd(folder):
    """The pickle of RHD, in every protocol."""
    make_rhd(folder)
    path = folder / "training" / "anno_training.pickle"
    content = pickle.loads(path.read_bytes())
    small = {frame: {"uv_vis": content[frame]["uv_vis"]} for frame in (0, 2)}
    seeds = [pickle.dumps(small, protocol=protocol) for protocol in range(6)]

    def read(data):
        path.write_bytes(data)
        _records(RHDReader(folder, size=16), 1)

    return Target(lambda r: damaged_bytes(r, seeds), read, seeds[2], 2)


def stb(folder):
    """The label files of STB."""
    from scipy.io import savemat

    make_stb(folder)
    path = folder / "labels" / "B2Counting_BB.mat"
    for sequence in ("B1Counting", "B3Random"):
        (folder / "labels" / f"{sequence}_BB.mat").unlink()
    from scipy.io import loadmat

    values, seeds = loadmat(path)["handPara"][:, :, :1], []
    for options in ({}, {"do_compression": True}):
        stream = io.BytesIO()
        savemat(stream, {"other": np.arange(3), "handPara": values}, **options)
        seeds.append(stream.getvalue())
    stream = io.BytesIO()
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = {"a": values}, "text"
    savemat(stream, {"handPara": cells})
    seeds.append(stream.getvalue())

    def read(data):
        path.write_bytes(data)
        _records(STBReader(folder, size=16), 1)

    return Target(lambda r: damaged_bytes(r, seeds), read, seeds[0], 2)


def coco(folder):
    """COCO's JSON."""
    make_coco(folder)
    path = folder / "person.json"
    content = json.loads(path.read_text())

    def read(data):
        path.write_bytes(data)
        _records(COCOReader(path, folder / "pictures", size=16), 2)

    return Target(lambda r: damaged_json(r, content), read, json.dumps(content).encode(), 2)


def several_categories(folder):
    """COCO's JSON with two categories that share a skeleton of names without sides, and boxes."""
    make_coco(folder)
    path = folder / "person.json"
    content = json.loads(path.read_text())
    names = ["jaw_0", "LeftEyeLeftCorner", "RightEyeLeftCorner"]
    for category in content["categories"]:
        category |= {"keypoints": names, "skeleton": [[1, 2], [1, 3]]}
    content["annotations"][-1] |= {"keypoints": [30, 15, 2, 50, 12, 1, 33, 20, 2]}
    content["annotations"] = [one for one in content["annotations"] if one["id"] in (11, 15)]

    def read(data):
        path.write_bytes(data)
        _records(COCOReader(path, folder / "pictures", size=16, category=["person", "cat"]), 2)

    return Target(lambda r: damaged_json(r, content), read, json.dumps(content).encode())


def boxes(folder):
    """The boxes of a detector, as `predict --boxes` reads them."""
    from keras_shr.prediction.boxes_json import boxes_of_files
    from keras_shr.prediction.predictor import Predictor
    from tests.prediction.prediction_helpers import lamp_model

    predictor, path = Predictor(lamp_model()), folder / "boxes.json"
    names = {folder / name: name for name in ("a.png", "b/c.jpg")}
    picture = np.zeros((40, 60, 3), "uint8")
    value = {"a.png": [[3, 4, 20, 20.5], [0, 0, 60, 40]], "c.jpg": [], "film.mp4": [[1, 1, 9, 9]]}

    def read(data):
        path.write_bytes(data)
        for file, rows in boxes_of_files(path, names).items():
            squares = predictor.squares(picture, rows, str(file))
            assert all(np.isfinite([one.left, one.top, one.side]).all() for one in squares)
            assert all(one.side > 0 for one in squares)

    return Target(lambda r: damaged_json(r, value), read, json.dumps(value).encode())


def folder_index(folder):
    """A folder's `index.jsonl`."""
    make_folder(folder)
    path = folder / "index.jsonl"
    valid = path.read_bytes()
    entries = [json.loads(line) for line in valid.splitlines()]

    def read(data):
        path.write_bytes(data)
        _records(FolderReader(folder, size=16))

    return Target(lambda r: damaged_json(r, entries, lines=True), read, valid, 2)


def skeleton(folder):
    """A folder's `skeleton.json`."""
    make_folder(folder)
    path = folder / "skeleton.json"
    names = ["a", "left_b", "right_b", "c"]
    value = {"name": "s", "keypoints": names, "edges": [[0, 1]], "flip_pairs": [[1, 2]]}

    def read(data):
        path.write_bytes(data)
        _records(FolderReader(folder, size=16), 1)

    return Target(lambda r: damaged_json(r, value), read, json.dumps(value).encode())


def _prepared(folder):
    make_folder(folder / "source")
    reader = FolderReader(folder / "source", size=16)
    prepare(reader, folder / "prepared", shards=2)
    return reader, folder / "prepared"


def manifest(folder):
    """The manifest of a prepared data set."""
    _, output = _prepared(folder)
    path = output / "manifest.json"
    value = json.loads(path.read_text())

    def read(data):
        path.write_bytes(data)
        _records(PreparedReader(output))

    return Target(lambda r: damaged_json(r, value), read, json.dumps(value).encode(), 2)


def ids(folder):
    """The ids of a prepared data set, its manifest knowing them."""
    _, output = _prepared(folder)
    value = json.loads((output / "manifest.json").read_text())
    valid = (output / "ids.txt").read_bytes()

    def read(data):
        (output / "ids.txt").write_bytes(data)
        text = data.decode("utf-8", "replace").removesuffix("\n")
        value["ids_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        (output / "manifest.json").write_text(json.dumps(value))
        _records(PreparedReader(output))

    return Target(lambda r: damaged_bytes(r, [valid]), read, valid, 0.5)


def journal(folder):
    """The list of finished shards of a `prepare` that was cut off."""
    reader, output = _prepared(folder)
    whole = {path.name: path.read_bytes() for path in output.iterdir()}
    path = output / "prepare.json"
    value = json.loads(path.read_text())

    def read(data):
        for name, content in whole.items():
            (output / name).write_bytes(content)
        path.write_bytes(data)
        prepare(reader, output, shards=2)
        again = {p.name: p.read_bytes() for p in output.iterdir()}
        again.pop(path.name), whole.get(path.name)
        assert again == {n: c for n, c in whole.items() if n != path.name}

    return Target(lambda r: damaged_json(r, value), read, json.dumps(value).encode(), 0.2)


def example(folder):
    """One `tf.train.Example`."""
    reader, _ = _prepared(folder)
    seeds = [encode_record(reader[i], i, "png", None) for i in range(2)]

    def read(data):
        record = decode_record(data, 4, "here", 16)
        assert record.image.shape == (16, 16, 3)
        assert np.isfinite(record.keypoints).all()

    return Target(lambda r: damaged_bytes(r, seeds), read, seeds[0], 2)


def framing(folder):
    """The frames of the records in a shard."""
    _, output = _prepared(folder)
    path = sorted(output.glob("*.tfrecord"))[1]
    valid = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        starts = record_offsets(path)
        assert [start for start, _ in scan_shard(path)] == starts

    return Target(lambda r: damaged_bytes(r, [valid]), read, valid)


def shard(folder):
    """A shard with damaged records whose checksums, and the manifest's, are those of the damage:
    what a hostile data set looks like."""
    from keras_shr.data.manifest import Manifest
    from keras_shr.data.shards import write_shard

    _, output = _prepared(folder)
    found = Manifest.read(output)
    path = output / found.shards[1].file
    messages = [data for _, data in scan_shard(path)]

    def read(data):
        written = write_shard(path, [data, messages[1]])
        changed = dataclasses.replace(found, shards=(found.shards[0], written))
        changed.write(output)
        check_shard(output, written)
        assert written.sha256 == file_sha256(path)
        _records(PreparedReader(output))

    return Target(lambda r: damaged_bytes(r, messages), read, messages[0], 0.5)


def pictures(folder):
    """Picture files of every format that is read."""
    image, seeds = Image.fromarray(grey_picture(24, 20, (8, 9))), []
    frames = [image, Image.new("RGB", (24, 20), (1, 2, 3))]
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in (
        {"format": "PNG"},
        {"format": "PNG", "save_all": True, "append_images": frames[1:]},
        {"format": "JPEG", "exif": exif},
        {"format": "JPEG", "progressive": True},
        {"format": "WEBP"},
        {"format": "WEBP", "lossless": True, "save_all": True, "append_images": frames[1:]},
        {"format": "GIF", "save_all": True, "append_images": frames[1:]},
        {"format": "BMP"},
        {"format": "TIFF"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "PPM"},
    ):
        stream = io.BytesIO()
        image.save(stream, **options)
        seeds.append(stream.getvalue())
    for mode, kind in (
        ("P", "PNG"),
        ("I;16", "PNG"),
        ("LA", "PNG"),
        ("CMYK", "TIFF"),
        ("1", "PPM"),
    ):
        stream = io.BytesIO()
        source = image.convert("L").convert("I") if mode == "I;16" else image
        source.convert(mode).save(stream, kind)
        seeds.append(stream.getvalue())
    path = folder / "picture"

    def read(data):
        path.write_bytes(data)
        result = read_image(path)
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3

    return Target(lambda r: damaged_bytes(r, seeds), read, seeds[0], 2)


def description(folder):
    """The JSON beside an exported file."""
    from keras_shr.export.description import read_description

    path = folder / "hand.tflite"
    path.write_bytes(b"")
    value = {
        "format_version": 1,
        "format": "tflite",
        "quantize": "none",
        "outputs": "heatmaps",
        "keypoints": ["a", "b"],
        "input": {
            "name": "images",
            "dtype": "float32",
            "shape": [None, 64, 64, 3],
            "normalization": {"scale": 1.0, "offset": 0.0},
        },
        "output": {"name": "heatmaps", "shape": [None, 16, 16, 2]},
        "decoding": {
            "method": "centroid",
            "score_radius": 2,
            "image_size": [64, 64],
            "heatmap_size": [16, 16],
        },
    }

    def read(data):
        path.with_name("hand.tflite.json").write_bytes(data)
        found = read_description(path)
        height, width = found["input"]["shape"][1:3]
        scaling = found["input"]["normalization"]
        scaling["scale"] * np.zeros((1, 1), found["input"]["dtype"]) + scaling["offset"]
        assert height > 0
        assert width > 0
        assert found["decoding"]["method"] in ("argmax", "dark", "centroid")
        assert all(isinstance(name, str) for name in found["keypoints"])

    return Target(lambda r: damaged_json(r, value), read, json.dumps(value).encode())


def model_file(folder):
    """A `.keras` file."""
    from keras_shr.models import load_trained
    from tests.prediction.prediction_helpers import lamp_model

    path = folder / "model.keras"
    lamp_model().save(path)
    valid = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        load_trained(path)

    return Target(lambda r: damaged_bytes(r, [valid]), read, valid, 0.05)


def model_settings(folder):
    """The settings of a model inside its `.keras` file."""
    import zipfile

    from keras_shr.models import load_trained
    from tests.prediction.prediction_helpers import lamp_model

    path = folder / "model.keras"
    lamp_model().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    valid = parts["config.json"]

    def read(data):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (parts | {"config.json": data}).items():
                archive.writestr(name, content)
        load_trained(path)

    return Target(lambda r: damaged_json(r, json.loads(valid)), read, valid, 0.05)


def heatmaps(folder):
    """Heatmaps of any numbers, decoded to keypoints in every way."""
    from keras_shr.heatmaps import DECODERS, decode

    good = np.random.default_rng(0).random((1, 8, 9, 2)).astype("<f4").tobytes()

    def read(data):
        data = data[: len(good)].ljust(len(good), b"\0")
        maps = np.frombuffer(data, "<f4").reshape(1, 8, 9, 2)
        for method in DECODERS:
            points = np.asarray(decode(maps, method))
            assert np.isfinite(points).all()
            assert (np.abs(points[..., :2] - [4, 3.5]) <= [5.5, 5]).all()
            assert ((points[..., 2] >= 0) & (points[..., 2] <= 1 + 1e-6)).all()

    return Target(lambda r: damaged_bytes(r, [good]), read, good, 0.03)


TARGETS = {
    function.__name__: function
    for function in (
        rhd,
        stb,
        coco,
        several_categories,
        boxes,
        folder_index,
        skeleton,
        manifest,
        ids,
        journal,
        example,
        framing,
        shard,
        pictures,
        description,
        model_file,
        model_settings,
        heatmaps,
    )
}


@contextlib.contextmanager
def in_folder(name, place):
    """The target called `name`, its files in a new folder at `place`."""
    folder = Path(place) / name
    folder.mkdir(parents=True, exist_ok=True)
    yield TARGETS[name](folder)
