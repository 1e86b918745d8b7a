"""RHD's labels as a pickle that was made to do harm: nothing is executed, no memory taken."""

import os
import pickle
import subprocess

import numpy as np
import pytest

from keras_shr.cli import main
from keras_shr.data.pickles import load_array_pickle
from keras_shr.errors import DataError
from tests.accidents.measured import measured
from tests.small_sets import make_rhd


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


def test_a_command_ends_with_one_line(tmp_path, capsys):
    """In the hands of `prepare`."""
    make_rhd(tmp_path / "rhd")
    victim = tmp_path / "victim"
    path = tmp_path / "rhd" / "training" / "anno_training.pickle"
    path.write_bytes(pickle.dumps(_hostile(victim)["os.system"]))
    assert main(["prepare", "rhd", str(tmp_path / "rhd"), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"keras-shr prepare: {path}: refused to unpickle, it asks for")
    assert error.count("\n") == 1
    assert not victim.exists()
    assert not (tmp_path / "out").exists()
