"""Data sets that were made to do harm: nothing they hold is executed, nothing outside their folder
is opened, no memory is taken that they do not fill."""

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import keras_shr
from keras_shr.cli import main
from keras_shr.data import (
    COCOReader,
    FolderReader,
    Manifest,
    PreparedReader,
    RHDReader,
    STBReader,
    prepare,
)
from keras_shr.data.pickles import load_array_pickle
from keras_shr.data.places import FOLLOW_LINKS
from keras_shr.data.shards import scan_shard, write_shard
from keras_shr.errors import DataError
from tests.accidents.measured import measured
from tests.small_sets import grey_picture, make_coco, make_folder, make_rhd, make_stb, save

# Pickles


class _Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class _Builds:
    """Pickles as a call whose result is given a state."""

    def __init__(self, state, function, *arguments):
        self.call = (function, arguments, state)

    def __reduce__(self):
        return self.call


def _objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _hostile(victim):
    system = _Calls(os.system, f"mkdir {victim}")
    return {
        "os.system": system,
        "eval": _Calls(eval, f"__import__('os').mkdir({str(victim)!r})"),
        "exec": _Calls(exec, f"import os; os.mkdir({str(victim)!r})"),
        "a process": _Calls(subprocess.Popen, ["mkdir", str(victim)]),
        "open": _Calls(open, str(victim), "w"),
        "numpy.fromfile": _Calls(np.fromfile, "/etc/hostname", "u1"),
        "in a list in a dict": {"x": [1, (2, [system])]},
        "as a key": {"x": {system: 1}},
        "in an array of objects": _objects([1, system]),
        "as an array's state": _Builds(system, np.zeros(1).__reduce__()[0], np.ndarray, (0,), b"b"),
        "as an argument": _Calls(np.dtype, system),
        "a pickle in a pickle": _Calls(pickle.loads, pickle.dumps(system)),
        "a class": ValueError("x"),
    }


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", _hostile("."))
def test_pickles_run_nothing(tmp_path, name, protocol):
    victim = tmp_path / "victim"
    make = _hostile(victim)[name]
    for where, value in ((0, {0: {"uv_vis": make}}), (1, make)):
        path = tmp_path / f"{where}.pickle"
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        with pytest.raises(DataError) as error:
            load_array_pickle(path)
        assert str(error.value).startswith(f"{path}: refused to unpickle, it ")
        assert "\n" not in str(error.value)
        assert not victim.exists()


def test_the_hostile_pickles_are_hostile(tmp_path):
    """Python's own unpickler falls for them."""
    for name in ("os.system", "eval", "exec", "in an array of objects"):
        victim = tmp_path / name.replace(" ", "_")
        pickle.loads(pickle.dumps(_hostile(victim)[name]))
        assert victim.is_dir()


def _opcodes(*parts):
    return b"\x80\x04" + b"".join(parts) + b"."


def _text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def _function(module, name):
    return _text(module) + _text(name) + b"\x93"


_RECONSTRUCT = _function("numpy.core.multiarray", "_reconstruct")
_ARRAY = _RECONSTRUCT + _function("numpy", "ndarray") + b"K\x00\x85" + _text("b") + b"\x87R"
_F8 = _function("numpy", "dtype") + _text("f8") + b"\x85R"

BOMBS = {
    # 4 G memo slots in C's unpickler, 64 GB
    "memo": _opcodes(b"K\x00r\xff\xff\xff\x7f"),
    "long number": _opcodes(b"\x8b\xff\xff\xff\x7f"),
    "long text": _opcodes(b"\x8d" + (2**40).to_bytes(8, "little")),
    "long bytes": _opcodes(b"\x8e" + (2**62).to_bytes(8, "little")),
    "long bytearray": _opcodes(b"\x96" + (2**40).to_bytes(8, "little")),
    "long frame": _opcodes(b"\x95" + (2**40).to_bytes(8, "little")),
    "array": _opcodes(_ARRAY, b"(K\x01J\xff\xff\xff\x7f\x85", _F8, b"\x89C\x00tb"),
    "array of nothing": _opcodes(
        _ARRAY, b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86",
        _function("numpy", "dtype"), _text("S0"), b"\x85R\x89C\x00tb",
    ),
    "array made by the class": _opcodes(
        _function("numpy", "ndarray"), b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86\x85R"
    ),
    "dtype": _opcodes(_function("numpy", "dtype"), _text("U999999999"), b"\x85R"),
    "dtype with a shape": _opcodes(_function("numpy", "dtype"), _text("(999,999,99)f8"), b"\x85R"),
    # ((x, x), (x, x)): hashing it takes 2**60 steps, and so does writing it
    "hash": _opcodes(b"}K\x00", b"2\x86" * 60, b"K\x01s"),
    "repr": _opcodes(b"}" + _text("x") + b"K\x00", b"2\x86" * 60, b"s"),
    "deep": _opcodes(b"(" * 100_000, b"l" * 100_000),
    "deep tuples": _opcodes(b")", b"\x85" * 100_000),
}  # fmt: skip


def test_pickles_take_no_memory_and_no_time(tmp_path):
    """Each of these would take gigabytes, for ever, or the process with it."""
    for name, content in BOMBS.items():
        make_rhd(tmp_path / name)
        (tmp_path / name / "training" / "anno_training.pickle").write_bytes(content)
    make_rhd(tmp_path / "0 good")
    code = """
from pathlib import Path
from keras_shr.data.rhd import RHDReader
from keras_shr.errors import DataError
good, *roots = sorted(Path(sys.argv[2]).iterdir())
RHDReader(good)
start()
for root in roots:
    try:
        RHDReader(root)
    except DataError as error:
        assert "anno_training.pickle: " in str(error)
        print("refused")
"""
    printed, megabytes = measured(code, tmp_path)
    assert printed == ["refused"] * len(BOMBS)
    assert megabytes < 40


def test_a_pickle_changes_nothing_of_ours(tmp_path):
    """BUILD sets attributes; on a function they would stay for the next file."""
    state = b"N}" + _text("__defaults__") + _text("utf-8") + b"\x85s\x86b"
    for name in ("encode",):
        path = tmp_path / "p"
        path.write_bytes(_opcodes(_function("_codecs", name), state))
        with pytest.raises(DataError, match="it changes a"):
            load_array_pickle(path)
    for change in (b"}" + _text("x") + b"K\x01sb", state):
        path.write_bytes(_opcodes(b"]", change))
        with pytest.raises(DataError, match="it changes a list"):
            load_array_pickle(path)


def test_other_operations_are_refused(tmp_path):
    """Sets, classes, extensions, references to elsewhere; calls of what cannot be called."""
    path = tmp_path / "p"
    for content, message in (
        (b"\x8f", "it holds something else"),
        (b"(\x91", "it holds something else"),
        (_RECONSTRUCT + b")\x81", "it holds something else"),
        (b"\x82\x01", "it holds something else"),
        (b"Pelsewhere\n", "it holds something else"),
        (b"K\x05)R", "it calls 5"),
    ):
        path.write_bytes(_opcodes(content))
        with pytest.raises(DataError, match=message):
            load_array_pickle(path)


def test_array_states_are_checked(tmp_path):
    """NumPy takes the shape and the dtype of a state as they are."""
    good = b"\x89C\x10" + np.array([1.0, 2.0]).tobytes() + b"tb"
    path = tmp_path / "p"
    path.write_bytes(_opcodes(_ARRAY, b"(K\x01K\x02\x85", _F8, good))
    np.testing.assert_array_equal(load_array_pickle(path), [1, 2])
    objects = _function("numpy", "dtype") + _text("O8") + b"\x85R"
    for shape, kind in (
        (b"K\x03\x85", _F8),  # more than there are bytes
        (b"J\xff\xff\xff\xff\x85", _F8),  # negative
        (b"G\x40\x00\x00\x00\x00\x00\x00\x00\x85", _F8),  # 2.0
        (b"(" + b"K\x01" * 40 + b"K\x02t", _F8),
        (b"K\x02\x85", objects),  # addresses
        (b"K\x02\x85", _text("f8")),
    ):
        path.write_bytes(_opcodes(_ARRAY, b"(K\x01", shape, kind, good))
        with pytest.raises(DataError, match="refused to unpickle"):
            load_array_pickle(path)


# MATLAB files


def _element(kind, content):
    return np.array([kind, len(content)], "<u4").tobytes() + content + bytes(-len(content) % 8)


def _matrix(kind, shape, name, *parts):
    """A MATLAB matrix element; kinds: 1 cells, 6 double, 16 function handle, 17 opaque."""
    flags = _element(6, np.array([kind, 0], "<u4").tobytes())
    size = _element(5, np.array(shape, "<i4").tobytes())
    return _element(14, flags + size + _element(1, name) + b"".join(parts))


def _mat(*elements):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return head + b"".join(elements)


def _cells_in_cells(depth):
    content = _matrix(6, (1, 1), b"", _element(9, bytes(8)))
    for _ in range(depth):
        content = _matrix(1, (1, 1), b"", content)
    return content


VALUES = np.ones((3, 21, 2)) * 900
NUMBERS = _element(9, VALUES.tobytes("F"))
GOOD = _matrix(6, (3, 21, 2), b"handPara", NUMBERS)


def _unpacks_to(megabytes):
    """Labels that are zeros, a thousandth of their size in the file."""
    frames = megabytes * 2**20 // 504 + 1
    head = _matrix(6, (3, 21, frames), b"handPara") + np.array([9, 504 * frames], "<u4").tobytes()
    head = head[:4] + np.array([len(head) - 8 + 504 * frames], "<u4").tobytes() + head[8:]
    packer, zeros = zlib.compressobj(1), bytes(2**20)
    packed = packer.compress(head)
    packed += b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()
    return _mat(np.array([15, len(packed)], "<u4").tobytes() + packed)


MATS = {
    "function handle": lambda: _mat(_matrix(16, (1, 1), b"handPara", GOOD)),
    "opaque": lambda: _mat(_matrix(17, (3, 21, 2), b"handPara", NUMBERS)),
    "text": lambda: _mat(_matrix(4, (3, 21, 2), b"handPara", NUMBERS)),
    "cells": lambda: _mat(_matrix(1, (3, 21, 2), b"handPara", *[GOOD] * 126)),
    "cells in cells": lambda: _mat(_matrix(1, (1, 1), b"handPara", _cells_in_cells(3_000))),
    "too many frames": lambda: _mat(_matrix(6, (3, 21, 2**31 - 1), b"handPara", NUMBERS)),
    "negative frames": lambda: _mat(_matrix(6, (3, 21, -2), b"handPara", NUMBERS)),
    "no frames": lambda: _mat(_matrix(6, (3, 21, 0), b"handPara", _element(9, b""))),
    "version 7.3": lambda: b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
}


@pytest.fixture(scope="module")
def stb(tmp_path_factory):
    root = tmp_path_factory.mktemp("stb")
    make_stb(root)
    return root


@pytest.mark.parametrize("name", MATS)
def test_hostile_matlab_files(stb, name):
    path = stb / "labels" / "B2Counting_BB.mat"
    path.write_bytes(MATS[name]())
    with pytest.raises(DataError, match=r"B2Counting_BB\.mat: ") as error:
        STBReader(stb)
    assert "\n" not in str(error.value)


def test_labels_take_little_memory(stb):
    """A megabyte that unpacks to half a gigabyte."""
    (stb / "labels" / "B2Counting_BB.mat").write_bytes(_unpacks_to(500))
    code = """
from keras_shr.data.stb import STBReader
from keras_shr.errors import DataError
STBReader(sys.argv[2], "test")
start()
try:
    STBReader(sys.argv[2])
except DataError as error:
    print(*str(error).split(": ")[1].split())
"""
    printed, megabytes = measured(code, stb)
    assert " ".join(printed).startswith("not a readable MATLAB file (it unpacks to more than")
    assert megabytes < 250


def test_compressed_labels_are_read(stb):
    path = stb / "labels" / "B2Counting_BB.mat"
    path.write_bytes(_mat(GOOD))
    plain = STBReader(stb)
    buffer = io.BytesIO()
    savemat(buffer, {"handPara": VALUES}, do_compression=True)
    path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(STBReader(stb)._points, plain._points)


def test_other_variables_of_a_matlab_file_are_not_read(stb):
    """Cells in cells would fill the stack of a reader that follows them."""
    deep = _matrix(1, (1, 1), b"other", _cells_in_cells(3_000))
    (stb / "labels" / "B2Counting_BB.mat").write_bytes(_mat(deep, GOOD))
    assert len(STBReader(stb)) == 2 + 3


# Names that lead out of the folder

OUTSIDE = (
    "../secret.png",
    "a/../../secret.png",
    "a/../../../{root.parent.name}/secret.png",
    "{root.parent}/secret.png",
    "link.png",
    "folder/secret.png",
    "link-to-link.png",
)


def _trap(root):
    """A picture beside `root`, and links in `root` that lead there."""
    (root / "a").mkdir(parents=True, exist_ok=True)
    save(root.parent / "secret.png", grey_picture(64, 64))
    (root / "link.png").symlink_to("../secret.png")
    (root / "folder").symlink_to("..")
    (root / "link-to-link.png").symlink_to("link.png")


@pytest.fixture
def opened(monkeypatch):
    """Every path that is opened."""
    found, real = [], io.open

    def spy(file, *arguments, **keywords):
        found.append(os.path.realpath(file) if isinstance(file, str | os.PathLike) else file)
        return real(file, *arguments, **keywords)

    monkeypatch.setattr("builtins.open", spy)
    monkeypatch.setattr("io.open", spy)
    return found


@pytest.mark.parametrize("name", OUTSIDE)
def test_index_and_coco_lead_nowhere(tmp_path, name, opened):
    root = tmp_path / "set"
    _trap(root)
    name = name.format(root=root)
    line = {"file": name, "keypoints": [[1, 2]] * 3}
    (root / "index.jsonl").write_text(json.dumps(line))
    make_coco(root)
    content = json.loads((root / "person.json").read_text())
    content["images"][0] = {"id": 7, "file_name": name}
    (root / "person.json").write_text(json.dumps(content))
    for reader in (FolderReader(root), COCOReader(root / "person.json")):
        del opened[:]
        with pytest.raises(DataError, match="outside") as error:
            reader[0]
        assert f"(record {reader.ids[0]})" in str(error.value)
        assert not any("secret" in str(path) for path in opened)


def test_names_inside_by_detours_are_fine(tmp_path):
    root = tmp_path / "set"
    save(root / "a" / "p.png", grey_picture(64, 64))
    (root / "q.png").symlink_to("a/p.png")
    (tmp_path / "way").symlink_to(root)
    for name in ("a/../a/p.png", str(root / "a" / "p.png"), "q.png", "./a//p.png"):
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        assert FolderReader(root)[0].image.any()
    (root / "index.jsonl").write_text(json.dumps({"file": "a/p.png", "keypoints": [[1, 2]]}))
    assert FolderReader(tmp_path / "way")[0].image.any()  # the folder itself may be a link


def test_windows_names_lead_nowhere(tmp_path):
    """On Windows they are absolute or climb; elsewhere they are odd names of files not there."""
    save(tmp_path / "secret.png", grey_picture(64, 64))
    for name in ("..\\secret.png", "C:\\secret.png", "C:secret.png", "\\\\host\\share\\s.png"):
        root = tmp_path / "set"
        root.mkdir(exist_ok=True)
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        with pytest.raises(DataError, match=r"no such picture|outside"):
            FolderReader(root)[0]


def test_links_are_followed_where_the_user_says_so(tmp_path, monkeypatch):
    root = tmp_path / "set"
    _trap(root)
    monkeypatch.setenv(FOLLOW_LINKS, "1")
    for name in ("link.png", "folder/secret.png"):
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        assert FolderReader(root)[0].image.any()
    (root / "index.jsonl").write_text(json.dumps({"file": "../secret.png", "keypoints": [[1, 2]]}))
    with pytest.raises(DataError, match="lies outside this folder"):
        FolderReader(root)[0]


@pytest.mark.parametrize(
    ("make", "reader", "picture"),
    [
        (make_rhd, RHDReader, "training/color/00000.png"),
        (make_rhd, RHDReader, "training/mask/00000.png"),
        (make_stb, STBReader, "images/B2Counting/BB_left_0.png"),
        (make_stb, STBReader, "images/B2Counting"),
    ],
)
def test_links_in_rhd_and_stb(tmp_path, make, reader, picture):
    make(tmp_path / "set")
    path = tmp_path / "set" / picture
    shutil.move(path, tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=rf"a link to .*secret.*not followed unless {FOLLOW_LINKS}"):
        reader(tmp_path / "set")[0]


SHARD_NAMES = (
    "../x.tfrecord",
    "a/../../x.tfrecord",
    "/tmp/x.tfrecord",
    "C:\\x.tfrecord",
    "..\\x.tfrecord",
    "\\\\host\\x.tfrecord",
    "",
    ".",
    "..",
    ".hidden",
    "a\0b",
    "a/b.tfrecord",
    None,
    5,
    ["x"],
    "manifest.json\n",
)


@pytest.fixture
def prepared(tmp_path):
    make_folder(tmp_path / "source")
    prepare(FolderReader(tmp_path / "source", size=16), tmp_path / "p", shards=2)
    return tmp_path / "p"


@pytest.mark.parametrize("name", SHARD_NAMES)
def test_manifests_name_plain_files_only(prepared, name, opened):
    path = prepared / "manifest.json"
    value = json.loads(path.read_text())
    shutil.copy(prepared / value["shards"][0]["file"], prepared.parent / "x.tfrecord")
    value["shards"][0]["file"] = name
    path.write_text(json.dumps(value))
    del opened[:]
    for read in (Manifest.read, PreparedReader, _stream):
        with pytest.raises(DataError, match=r"manifest.json: damaged \(a shard's file is"):
            read(prepared)
    assert not any("tfrecord" in str(path) for path in opened)


def _stream(folder):
    from keras_shr.data import tfrecord_dataset

    pytest.importorskip("tensorflow")
    return list(tfrecord_dataset(folder))


def test_a_shard_that_is_a_link(prepared):
    shard = prepared / Manifest.read(prepared).shards[0].file
    shutil.move(shard, prepared.parent / "x.tfrecord")
    shard.symlink_to("../x.tfrecord")
    for read in (lambda p: PreparedReader(p)[0], _stream):
        with pytest.raises(DataError, match=r"\(of the manifest\): a link to .*x\.tfrecord"):
            read(prepared)


def test_prepare_writes_inside_its_folder_whatever_the_journal_says(prepared, tmp_path):
    """The list of finished shards names files; those names are not used."""
    reader = FolderReader(tmp_path / "source", size=16)
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    path = prepared / "prepare.json"
    journal = json.loads(path.read_text())
    for name in SHARD_NAMES:
        journal["finished"]["0"]["file"] = name
        path.write_text(json.dumps(journal))
        prepare(reader, prepared, shards=2)
        assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"p", "source"}


# Records


def _bomb(number):
    """An Example in whose place of bytes stands a number."""
    from keras_shr.data.examples import _field, _varint

    value = bytes([1 << 3]) + _varint(number)
    named = _field(1, b"image") + _field(2, _field(1, value))
    unnamed = value + _field(2, _field(1, _field(1, b"x")))
    return [_field(1, _field(1, named)), _field(1, _field(1, unnamed)), _field(1, value)]


def test_numbers_in_the_place_of_bytes_take_no_memory(prepared):
    """`bytes(10**12)` is a terabyte of zeros."""
    found = Manifest.read(prepared)
    for data in _bomb(10**12):
        shard = write_shard(prepared / found.shards[0].file, [data])
        changed = json.loads((prepared / "manifest.json").read_text())
        changed["shards"][0] = shard._asdict()
        changed["count"] = 1 + found.shards[1].records
        (prepared / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(DataError, match=r"ids\.txt: 3 ids for|is no record of schema version"):
            PreparedReader(prepared)[0]


@pytest.mark.parametrize("length", [2**40, 2**62, 2**64 - 1])
def test_lengths_beyond_the_file_take_no_memory(prepared, length):
    from keras_shr.data.crc32c import masked_crc32c

    found = Manifest.read(prepared)
    header = length.to_bytes(8, "little")
    content = header + masked_crc32c(header).to_bytes(4, "little") + b"little"
    path = prepared / found.shards[0].file
    path.write_bytes(content)
    value = json.loads((prepared / "manifest.json").read_text())
    value["shards"][0] |= {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (prepared / "manifest.json").write_text(json.dumps(value))
    for read in (lambda p: PreparedReader(p)[0], _stream):
        with pytest.raises(DataError, match="record 0 at byte 0 is truncated"):
            read(prepared)
    with pytest.raises(DataError, match="record 0 at byte 0 is truncated"):
        list(scan_shard(path))


def test_a_record_of_another_size_is_not_decoded(prepared, tmp_path):
    """A picture inside a record has the size of the manifest, by its header."""
    from keras_shr.data.examples import decode_example, encode_example
    from tests.accidents.bad_pictures import encoded, png_bomb

    found = Manifest.read(prepared)
    path = prepared / found.shards[0].file
    features = decode_example(next(data for _, data in scan_shard(path)))
    for picture, message in (
        (png_bomb(16000), "16000x16000 pixels, more than max_pixels = 256"),
        (encoded(grey_picture(8, 16)), "8x16 pixels, expected 16x16"),
    ):
        shard = write_shard(path, [encode_example(features | {"image": picture})])
        value = json.loads((prepared / "manifest.json").read_text())
        value["shards"][0] = shard._asdict()
        (prepared / "manifest.json").write_text(json.dumps(value))
        with pytest.raises(DataError, match=rf"record 0 at byte 0 \('a/1.png'\).*{message}"):
            PreparedReader(prepared)[0]


# Nothing in the package opens what it should not


def test_no_other_place_runs_what_a_file_says():
    """Calls that execute or build whatever a file holds, and the modules that may have them."""
    allowed = {
        "pickle.load(": {"data/_worker.py", "data/workers.py", "evaluation/worker.py",
                         "evaluation/perturber.py"},  # pipes to our own processes
        "pickle.loads(": {"data/_worker.py"},
        "load_model(": {"models/pretrained.py", "export/convert.py", "export/comparison.py",
                        "cli/export.py", "cli/compare_export.py", "selftest/parts.py"},
        "runpy.": {"training/config.py"},  # the user's own configuration
        "allow_pickle=True": set(),
        "safe_mode=False": set(),
        "enable_unsafe_deserialization": set(),
        "eval(": set(),
        "exec(": {"evaluation/worker.py"},
        "os.system(": set(),
        "shell=True": set(),
        "yaml": set(),
        "Image.open(": {"perturbations/_frost_pictures.py"},  # of an installed package
    }  # fmt: skip
    package = Path(keras_shr.__file__).parent
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        text = "\n".join(line for line in path.read_text().splitlines() if ">>>" not in line)
        for words, places in allowed.items():
            if name not in places:
                assert not re.search(r"(?<![\w.])" + re.escape(words), text), f"{name} has {words}"


def test_commands_end_with_one_line(tmp_path, capsys):
    """A hostile set in the hands of `prepare`."""
    make_rhd(tmp_path / "rhd")
    victim = tmp_path / "victim"
    path = tmp_path / "rhd" / "training" / "anno_training.pickle"
    path.write_bytes(pickle.dumps(_hostile(victim)["os.system"]))
    assert main(["prepare", "rhd", str(tmp_path / "rhd"), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"keras-shr prepare: {path}: refused to unpickle, it asks for")
    assert error.count("\n") == 1
    root = tmp_path / "set"
    _trap(root)
    (root / "index.jsonl").write_text(json.dumps({"file": "../secret.png", "keypoints": [[1, 2]]}))
    words = ["prepare", "folder", str(root), str(tmp_path / "out2"), "--workers", "1"]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "'../secret.png' (record ../secret.png) lies outside this folder" in error
    assert not victim.exists()
    assert not (tmp_path / "out").exists()
    assert [p.name for p in (tmp_path / "out2").iterdir()] == ["prepare.json"]
