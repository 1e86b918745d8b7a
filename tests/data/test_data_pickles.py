import collections
import os
import pickle

import numpy as np
import pytest

from keras_shr.data import RHDReader
from keras_shr.data.pickles import load_array_pickle
from keras_shr.errors import DataError


def _file(tmp_path, content):
    path = tmp_path / "anno.pickle"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(tmp_path, protocol):
    value = {
        0: {"uv_vis": np.arange(6.0).reshape(2, 3), "n": np.float32(3), "text": "é", "t": (1,)}
    }
    back = load_array_pickle(_file(tmp_path, pickle.dumps(value, protocol=protocol)))
    np.testing.assert_array_equal(back[0]["uv_vis"], value[0]["uv_vis"])
    assert back[0]["n"] == 3
    assert back[0]["text"] == "é"


@pytest.mark.parametrize("core", ["core", "_core"])
def test_module_names_of_both_numpy_generations(tmp_path, core):
    for protocol in (2, 5):
        content = pickle.dumps(np.arange(4.0), protocol=protocol)
        new = f"numpy.{core}.multiarray".encode(), f"numpy.{core}.numeric".encode()
        for old, name in ((b"multiarray", new[0]), (b"numeric", new[1])):
            for found in (b"numpy._core." + old, b"numpy.core." + old):
                content = _replace_name(content, found, name)
        np.testing.assert_array_equal(load_array_pickle(_file(tmp_path, content)), np.arange(4.0))


def _replace_name(content, old, new):
    """Swap a module name in a pickle, its length byte included."""
    if old == new:
        return content
    short = bytes([0x8C])  # SHORT_BINUNICODE
    content = content.replace(short + bytes([len(old)]) + old, short + bytes([len(new)]) + new)
    content = content.replace(b"c" + old + b"\n", b"c" + new + b"\n")  # GLOBAL
    # Frame lengths of protocol 4 and 5 would be wrong now; frames are optional, so drop the first.
    return content[:2] + content[11:] if content[2:3] == b"\x95" else content


def test_python_2_pickle(tmp_path):
    # What Python 2's pickle.dumps({3: {'uv_vis': np.array([1., 2.])}}, 2) wrote: byte strings as
    # SHORT_BINSTRING and NumPy's old module name.
    data = np.array([1.0, 2.0]).tobytes()
    content = (
        b"\x80\x02}K\x03}U\x06uv_viscnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00"
        b"\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff"
        b"\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10" + data + b"tbss."
    )
    back = load_array_pickle(_file(tmp_path, content))
    np.testing.assert_array_equal(back[3]["uv_vis"], [1, 2])


class _Hostile:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_hostile_pickle_is_never_executed(tmp_path, protocol):
    victim = tmp_path / "victim"
    for value, name in (
        (_Hostile(os.mkdir, str(victim)), "mkdir"),
        (_Hostile(eval, f"open({str(victim)!r}, 'w')"), "eval"),
        (_Hostile(getattr, "", "join"), "getattr"),
        (collections.OrderedDict(), "OrderedDict"),
    ):
        path = _file(tmp_path, pickle.dumps({0: {"uv_vis": value}}, protocol=protocol))
        with pytest.raises(DataError, match=rf"anno.pickle: refused to unpickle, .*{name}"):
            load_array_pickle(path)
        assert not victim.exists()


def test_reader_refuses_a_hostile_annotation_file(rhd_root):
    victim = rhd_root / "victim"
    path = rhd_root / "training" / "anno_training.pickle"
    path.write_bytes(pickle.dumps(_Hostile(os.mkdir, str(victim))))
    with pytest.raises(DataError, match=r"anno_training.pickle: refused to unpickle"):
        RHDReader(rhd_root)
    assert not victim.exists()


def test_damaged_pickles(tmp_path):
    good = pickle.dumps({0: np.arange(100.0)})
    for content in (b"", good[: len(good) // 2], b"\x80\x05garbage", b"hello"):
        with pytest.raises(DataError, match=r"anno.pickle: not a readable pickle"):
            load_array_pickle(_file(tmp_path, content))
    with pytest.raises(DataError, match="no such file"):
        load_array_pickle(tmp_path / "none.pickle")
