import json
import sys

import numpy as np
import pytest

from keras_shr.data import (
    READERS,
    COCOReader,
    FolderReader,
    PreparedReader,
    RenderedReader,
    RHDReader,
    STBReader,
    open_data,
    open_reader,
    prepare,
)
from keras_shr.errors import DataError, MissingPartError
from keras_shr.skeletons import Skeleton


def test_open_reader(stb_root):
    reader = open_reader("stb", stb_root, split="test", sensor="SK", size=64)
    assert isinstance(reader, STBReader)
    assert (reader.size, reader.sensor, len(reader)) == (64, "SK", 3)
    with pytest.raises(DataError, match="no kind of data 'lsp'; there are rhd, stb, coco"):
        open_reader("lsp", stb_root)
    with pytest.raises(DataError, match="stb has no option 'groups'; it has split, sensor, size"):
        open_reader("stb", stb_root, groups="a")
    assert set(READERS) == {"rhd", "stb", "coco", "folder", "rendered", "prepared"}


def test_specifications(folder_root, coco_root):
    reader = open_data(f"folder:{folder_root}?subset=a,b&groups=1&visibility=coco", size=64)
    assert isinstance(reader, FolderReader)
    assert (reader.ids, reader.size) == (["a/1.png"], 64)
    reader = open_data("rendered:1000?seed=3&size=128")
    assert (len(reader), reader.seed, reader.size) == (1000, 3, 128)
    reader = open_data(f"coco:{coco_root}/person.json?images_root={coco_root}/pictures&padding=1.5")
    assert isinstance(reader, COCOReader)
    assert reader.padding == 1.5
    assert open_data(reader) is reader
    with pytest.raises(DataError, match=r"a\+b: no such folder of pictures"):
        open_data(f"coco:{coco_root}/person.json?images_root=a+b")


def test_rendered_splits_do_not_overlap():
    ids = [set(open_data("rendered:500", split).ids) for split in ("train", "val", "test")]
    assert len(set.union(*ids)) == 1500
    assert open_data("rendered:5?start=7").ids[0] == "rendered-0-000007"
    with pytest.raises(DataError, match="rendered hands have the splits"):
        open_data("rendered:5", "dev")
    with pytest.raises(DataError, match="count is 0"):
        RenderedReader(0)


def test_easier_rendered_hands():
    reader = open_data("rendered:2?views=front&poses=open", size=32)
    assert reader.options == {"seed": 0, "first": 0, "views": "front", "poses": "open"}
    assert not np.array_equal(
        reader[0].image, open_data("rendered:2?views=front", size=32)[0].image
    )
    with pytest.raises(DataError, match=r"the poses \['all', 'open'\], not 'fist'"):
        open_data("rendered:2?poses=fist")


def test_guesses(rhd_root, stb_root, folder_root, coco_root):
    assert isinstance(open_data(rhd_root), RHDReader)
    assert isinstance(open_data(rhd_root.parent / "RHD_published_v2", "test"), RHDReader)
    assert isinstance(open_data(str(stb_root), "test"), STBReader)
    assert isinstance(open_data(folder_root, "val"), FolderReader)
    (coco_root / "a.png").write_bytes((coco_root / "pictures" / "a.png").read_bytes())
    assert isinstance(open_data(coco_root / "person.json", "val"), COCOReader)


def test_prepared_folders(stb_root, tmp_path):
    for split in ("train", "test"):
        prepare(STBReader(stb_root, split, size=32), tmp_path / "p" / split)
    for spec in (tmp_path / "p", f"{tmp_path}/p/test", f"prepared:{tmp_path}/p/test"):
        reader = open_data(spec, "test")
        assert isinstance(reader, PreparedReader)
        assert reader.split == "test"
        assert reader.size == 32
    assert open_data(tmp_path / "p" / "train", "training").split == "train"
    with pytest.raises(DataError, match="prepared from the split 'train', but 'test'"):
        open_data(tmp_path / "p" / "train", "test")
    with pytest.raises(DataError, match="prepared with size 32, asked for 64"):
        open_data(tmp_path / "p" / "train", size=64)


def test_what_cannot_be_guessed(tmp_path):
    with pytest.raises(DataError, match=r"looked for manifest.json .*index.jsonl .*\.json file"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="no such file or folder, and not a specification such as"):
        open_data(tmp_path / "nothing")
    with pytest.raises(DataError, match="no such file or folder"):
        open_data("C:/hands")
    with pytest.raises(DataError, match="expected a number of hands"):
        open_data("rendered:many")
    with pytest.raises(DataError, match="seed is 'x'; expected a number"):
        open_data("rendered:10?seed=x")
    with pytest.raises(DataError, match="rendered has no option 'colour'"):
        open_data("rendered:10?colour=red")


def test_descriptions_are_json_and_know_no_folder(stb_root, folder_root, coco_root):
    for reader in (STBReader(stb_root), FolderReader(folder_root), open_data("rendered:3")):
        text = json.dumps(reader.describe())
        assert str(stb_root.parent) not in text


def test_reading_needs_no_tensorflow():
    """Importing the package's data modules, without its backend, loads NumPy and Pillow only."""
    import subprocess

    code = (
        "import sys, types; m = sys.modules['keras_shr'] = types.ModuleType('keras_shr');"
        "m.__path__ = [sys.argv[1]]; import keras_shr.data;"
        "print([n for n in ('tensorflow', 'keras', 'jax', 'scipy') if n in sys.modules])"
    )
    package = sys.modules["keras_shr"].__path__[0]
    result = subprocess.run([sys.executable, "-c", code, package], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_several_data_sets_are_one(stb_root):
    joined = open_data([f"stb:{stb_root}", "rendered:3?seed=1"], "test", 64)
    parts = open_data(stb_root, "test", 64), open_data("rendered:3?seed=1", "test", 64)
    assert len(joined) == len(parts[0]) + 3
    assert joined.ids == [*parts[0].ids, *parts[1].ids]
    assert joined.cpu_bound
    for i, record in enumerate([*parts[0], *parts[1]]):
        np.testing.assert_array_equal(joined[i].image, record.image)
        np.testing.assert_array_equal(joined[i].keypoints, record.keypoints)
    assert joined[-1].id == parts[1].ids[-1]
    assert open_data(["rendered:3"], size=64).kind == "rendered"


def test_data_sets_that_do_not_fit_are_not_joined(coco_root):
    with pytest.raises(DataError, match="the id 'rendered-0-000002' is in another"):
        open_data(["rendered:3", "rendered:3?start=2"])
    person = f"coco:{coco_root}/person.json?images_root={coco_root}/pictures"
    with pytest.raises(DataError, match="has 21 keypoints and"):
        open_data([person, "rendered:3"])
    with pytest.raises(DataError, match="has 32 pixels and rendered 64"):
        open_data(["rendered:3?size=64", "rendered:3?size=32&seed=1"])
    with pytest.raises(DataError, match="an empty list"):
        open_data([])


@pytest.mark.parametrize(
    ("names", "joins"),
    [(("a", "b"), True), (("b", "a"), False), (None, True)],
)
def test_only_the_same_keypoints_are_joined(tmp_path, names, joins):
    skeletons = [Skeleton("x", ("a", "b")), Skeleton("y", names) if names else Skeleton.generic(2)]
    roots = [tmp_path / "1", tmp_path / "2"]
    for root, skeleton in zip(roots, skeletons, strict=True):
        root.mkdir()
        line = {"file": f"{root.name}.png", "keypoints": [[1, 2], [3, 4.5]]}
        (root / "index.jsonl").write_text(json.dumps(line))
        (root / "skeleton.json").write_text(json.dumps(skeleton.to_dict()))
    if joins:
        assert open_data(list(map(str, roots))).skeleton.keypoints == ("a", "b")
    else:
        with pytest.raises(DataError, match="2 calls keypoint 0 'b' and 1 'a': they do not fit"):
            open_data(list(map(str, roots)))


def test_prepared_parts_without_the_one_asked_for(tmp_path):
    """Not faulty data: training on RHD, which has no part to validate on, asks for one."""
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "manifest.json").touch()
    with pytest.raises(MissingPartError, match="holds prepared data in test, train; give one"):
        open_data(tmp_path, "val")
    with pytest.raises(DataError) as error:
        open_data(tmp_path)
    assert not isinstance(error.value, MissingPartError)
