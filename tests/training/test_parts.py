"""What a run trains on and validates on, and that test records are neither."""

import json

import numpy as np
import pytest

from keras_shr.cli import main
from keras_shr.data import (
    FolderReader,
    KeypointData,
    PreparedReader,
    STBReader,
    load_arrays,
    prepare,
)
from keras_shr.errors import DataError, KerasShrError, MissingPartError
from keras_shr.skeletons import Skeleton
from keras_shr.training import Config, run, train
from keras_shr.training.holding_out import hold_out, hold_out_shards
from keras_shr.training.parts import open_parts
from tests.small_sets import grey_picture, make_coco, make_rhd, make_stb, save


def folder(root, *splits, count=21):
    """A folder with one picture for each split; None writes none."""
    lines = []
    for number, split in enumerate(splits):
        save(root / f"{root.name}{number}.png", grey_picture(32, 32))
        line = {"file": f"{root.name}{number}.png", "keypoints": [[5.5, 6]] * count}
        lines.append(line | ({} if split is None else {"split": split}))
    (root / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return str(root)


def parts(data, **settings):
    """Ids to train on, and those to validate on or None."""
    data = [str(d) for d in data] if isinstance(data, list) else str(data)
    training, validation = open_parts(Config(data=data, image_size=32, **settings))
    return training.ids, validation and validation.ids


def test_a_folder_with_other_words_is_refused(tmp_path, capsys):
    data = folder(tmp_path / "a", "training", "test")
    with pytest.raises(DataError, match="no record with split 'train'; it has the splits test, tr"):
        parts(data)
    assert parts(data, split="training") == (["a0.png"], None)
    assert main(["fit", "--data", data, "--output", str(tmp_path / "run")]) == 1
    assert "no record with split 'train'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_validation_data_of_other_keypoints_are_refused(tmp_path):
    for name, keypoints in (("a", ["nose", "tail"]), ("b", ["tail", "nose"])):
        folder(tmp_path / name, None, count=2)
        (tmp_path / name / "skeleton.json").write_text(
            json.dumps({"name": name, "keypoints": keypoints})
        )
    with pytest.raises(DataError, match="b calls keypoint 0 'tail' and a-train 'nose'"):
        parts(tmp_path / "a", validation=str(tmp_path / "b"))
    (tmp_path / "b" / "skeleton.json").unlink()
    assert parts(tmp_path / "a", validation=str(tmp_path / "b")) == (["a0.png"], ["b0.png"])


def test_hands_of_one_picture_are_held_out_together(tmp_path):
    lines = []
    for number in range(12):
        save(tmp_path / f"{number}.png", grey_picture(32, 32))
        hand = {"file": f"{number}.png", "keypoints": [[5.5, 6]] * 21, "box": [2, 2, 20, 20]}
        lines += [hand, hand | {"box": [3, 2, 20, 20]}]
    lines.append({"file": "0.png", "keypoints": [[5.5, 6]] * 21, "group": "mine"})
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = load_arrays(FolderReader(tmp_path, size=32))
    assert [g for g, i in zip(data.groups, data.ids, strict=True) if i[:5] == "0.png"] == [
        "mine"
    ] * 3
    config = Config(data=str(tmp_path), image_size=32, validation_share=0.3)
    training, validation = hold_out(data, config)
    pictures = [{i.split("#")[0] for i in part.ids} for part in (training, validation)]
    assert len(validation) >= 4
    assert not pictures[0] & pictures[1]


def test_a_limit_of_validation_images_takes_them_from_all_over(tmp_path):
    """The first ones may be one person's, or one clip."""
    place = folder(tmp_path / "a", *["train"] * 3, *["val"] * 7)
    config = Config(data=str(place), image_size=32, validation_limit=3)
    reader, validation = open_parts(config)
    assert run._load(config, reader, validation, False, 1)[1].ids == ["a3.png", "a6.png", "a9.png"]
    data = load_arrays(FolderReader(place, size=32))
    few, every = (
        hold_out(data.take(range(10)), Config(validation_share=0.5, validation_limit=limit))[1].ids
        for limit in (3, 9)
    )
    assert few == [every[0], every[2], every[4]]


def test_all_validation_images_up_to_the_limit_are_measured(tmp_path, monkeypatch):
    class Found(Exception):
        pass

    def found(output, probe, *arguments, **options):
        raise Found(len(probe.images))

    monkeypatch.setattr(run, "run_callbacks", found)
    few = load_arrays(FolderReader(folder(tmp_path / "a", *["val"] * 3), size=32))
    monkeypatch.setattr(run, "_load", lambda *_: (few, few.take([0, 1, 2] * 200)))
    config = Config(data=folder(tmp_path / "b", "train"), image_size=32)
    with pytest.raises(Found, match="600"):
        train(config, tmp_path / "run", verbose=0)


def test_lines_without_a_split_are_for_training_and_the_test_lines_never(tmp_path):
    assert parts(folder(tmp_path / "a", "test", None, "test", None)) == (["a1.png", "a3.png"], None)
    whole = folder(tmp_path / "b", None, "val", "train", "test")
    assert parts(whole) == (["b0.png", "b2.png"], ["b1.png"])
    assert parts(folder(tmp_path / "c", None, None)) == (["c0.png", "c1.png"], None)


def test_each_of_several_data_sets_is_asked_for_its_own_parts(tmp_path):
    a = folder(tmp_path / "a", "train", "test", "val")
    b, c = folder(tmp_path / "b", None, None), folder(tmp_path / "c", "test", "train", "val")
    assert parts([a, b]) == (["a0.png", "b0.png", "b1.png"], ["a2.png"])
    assert parts([b, a]) == (["b0.png", "b1.png", "a0.png"], ["a2.png"])
    assert parts([a, c]) == (["a0.png", "c1.png"], ["a2.png", "c2.png"])
    assert parts([a, c], validation=b) == (["a0.png", "c1.png"], ["b0.png", "b1.png"])
    with pytest.raises(MissingPartError, match=r"d.index.jsonl: no record with split 'train'"):
        parts([a, folder(tmp_path / "d", "test")])


def test_all_of_a_data_set_holds_its_validation_part_out(tmp_path):
    assert parts(folder(tmp_path / "a", "train", "val"), split=None)[1] is None
    assert parts(folder(tmp_path / "b", "train", "val"), split="val") == (["b1.png"], None)


def test_data_without_parts_are_all_for_training(tmp_path):
    make_coco(tmp_path)
    person = f"coco:{tmp_path}/person.json?images_root={tmp_path}/pictures"
    assert parts(person) == (["a.png#11", "a.png#14"], None)
    (training,) = {i[:9] for i in parts("rendered:2")[0]}
    ids = parts(["rendered:2", "rendered:2?seed=1"])
    assert training == "rendered-"
    assert [len(i) for i in ids] == [4, 4]
    assert not set(ids[0]) & set(ids[1])


def test_a_folder_whose_config_is_none(tmp_path):
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(KerasShrError, match=r"config\.json: holds no settings; remove it"):
        train(Config(data="rendered:4"), tmp_path)


def test_a_folder_prepared_from_the_test_part_is_refused(tmp_path):
    for split in ("train", "val", "test"):
        reader = FolderReader(folder(tmp_path / "a", "train", "val", "test"), split, size=32)
        prepare(reader, tmp_path / "p" / split)
    with pytest.raises(DataError, match="prepared from the split 'test', but 'train' is asked for"):
        parts(tmp_path / "p" / "test")
    assert parts(tmp_path / "p") == (["a0.png"], ["a1.png"])
    assert parts(tmp_path / "p" / "train") == (["a0.png"], None)
    (tmp_path / "p" / "val" / "ids.txt").write_text("damaged")
    with pytest.raises(DataError, match=r"ids.txt: not the ids of manifest.json"):
        parts(tmp_path / "p")


def test_a_test_part_in_the_place_of_the_validation_part_is_refused(tmp_path):
    for place, split in (("train", "train"), ("val", "test")):
        reader = FolderReader(folder(tmp_path / "a", "train", "test"), split, size=32)
        prepare(reader, tmp_path / "p" / place)
    with pytest.raises(DataError, match="prepared from the split 'test', but 'val' is asked for"):
        parts(tmp_path / "p")


def test_rhd_and_stb_hold_training_pictures_out(tmp_path):
    make_rhd(tmp_path / "RHD_published_v2")
    make_stb(tmp_path / "STB")
    training, validation = parts(tmp_path / "RHD_published_v2")
    assert (training[0], validation) == ("training/00000", None)
    evaluation = ["evaluation/00000"]
    assert parts(tmp_path / "RHD_published_v2", validation_split="test")[1] == evaluation
    training, validation = parts(tmp_path / "STB")
    assert ({i.partition("/")[0] for i in training}, validation) == (
        {"B2Counting", "B3Random"},
        None,
    )
    reader = STBReader(tmp_path / "STB", size=32)
    sequences = [set(p.groups) for p in hold_out(load_arrays(reader), Config())]
    assert sorted(map(sorted, sequences)) == [["B2Counting"], ["B3Random"]]
    (tmp_path / "STB" / "labels" / "B1Counting_BB.mat").unlink()  # not even a test part
    assert parts(tmp_path / "STB")[1] is None


@pytest.mark.parametrize("seed", range(4))
def test_the_larger_of_two_groups_is_for_training(seed):
    groups = ["few"] * 3 + ["many"] * 17
    images, keypoints = np.zeros((20, 8, 8, 3), "uint8"), np.zeros((20, 2, 3), "float32")
    data = KeypointData(images, keypoints, Skeleton.generic(2), groups=groups)
    training, validation = hold_out(data, Config(seed=seed, validation_share=0.2))
    assert (set(training.groups), set(validation.groups)) == ({"many"}, {"few"})


def test_a_misspelt_validation_part_is_not_held_out_in_silence(tmp_path):
    data = folder(tmp_path / "a", "train", "train", "valid")
    assert parts(data, validation_split="valid")[1] == ["a2.png"]
    with pytest.raises(MissingPartError, match="no part 'vaild' to validate on"):
        parts(data, validation_split="vaild")
    with pytest.raises(MissingPartError, match="no part 'dev'"):
        parts("rendered:2", validation_split="dev")
    assert parts(data)[1] is parts(data, validation_split=None)[1] is None  # these are held out


@pytest.mark.parametrize("seed", range(4))
def test_records_without_a_group_are_no_group(seed):
    groups = ["a"] * 2 + ["b"] * 2 + [""] * 16
    images, keypoints = np.zeros((20, 8, 8, 3), "uint8"), np.zeros((20, 2, 3), "float32")
    data = KeypointData(images, keypoints, Skeleton.generic(2), groups=groups)
    training, validation = hold_out(data, Config(seed=seed, validation_share=0.3))
    assert 6 <= len(validation) <= 7
    assert "" in set(validation.groups) & set(training.groups)
    assert not {"a", "b"} & set(validation.groups) & set(training.groups)


def in_shards(root, groups, shards):
    """A prepared set of one picture for each group, in this order."""
    lines = []
    for number, group in enumerate(groups):
        save(root / "hands" / f"{number}.png", grey_picture(16, 16))
        line = {"file": f"{number}.png", "keypoints": [[5.5, 6]] * 21, "group": group}
        lines.append(json.dumps(line))
    (root / "hands" / "index.jsonl").write_text("\n".join(lines))
    prepare(FolderReader(root / "hands", size=16), root / "prepared", shards=shards)
    return PreparedReader(root / "prepared")


def test_shards_are_held_out_in_whole_groups(tmp_path):
    groups = ["a"] * 9 + ["b"] * 5 + ["c"] * 3 + ["d"] * 3 + [None] * 2
    reader = in_shards(tmp_path, groups, 11)
    for share, kept, held in (
        (0.1, 10, [20, 21]),
        (0.2, 8, [17, 18, 19, 20, 21]),  # 16 is a c, whose others are trained on
        (0.3, 7, [14, 15, 16, 17, 18, 19, 20, 21]),
    ):
        shards, validation = hold_out_shards(reader, Config(validation_share=share), 1)
        assert (shards, validation.ids) == (kept, [f"{i}.png" for i in held])
    config = Config(validation_share=0.3, validation_limit=3)
    assert hold_out_shards(reader, config, 1)[1].ids == ["14.png", "18.png", "21.png"]


@pytest.mark.parametrize("groups", [list("vwxyz") * 4, ["few"] * 4 + ["many"] * 16])
def test_groups_that_cannot_be_held_out_whole_are_refused(groups, tmp_path):
    reader = in_shards(tmp_path, groups, 10)
    with pytest.raises(KerasShrError, match=r"prepared: .*10 shards have too few whole groups"):
        hold_out_shards(reader, Config(), 1)


@pytest.mark.parametrize("group", [None, "one"])
def test_shards_of_one_group_are_held_out_by_their_number(group, tmp_path):
    reader = in_shards(tmp_path, [group] * 12, 4)
    shards, validation = hold_out_shards(reader, Config(validation_share=0.3), 1)
    assert (shards, validation.ids) == (2, reader.ids[6:])
    with pytest.raises(KerasShrError, match="4 shards are too few to hold one out"):
        hold_out_shards(reader, Config(validation_share=0.9), 1)


def test_a_part_of_data_without_parts_is_refused(tmp_path):
    make_coco(tmp_path)
    data = f"coco:{tmp_path}/person.json?images_root={tmp_path}/pictures"
    assert parts(data)[0] == parts(data, split=None)[0] == ["a.png#11", "a.png#14"]
    with pytest.raises(MissingPartError, match="has no parts, so none is called 'fold 1'"):
        parts(data, split="fold 1")


def test_a_fold_may_be_a_number(tmp_path):
    data = folder(tmp_path / "a", 0, 1, 2)
    assert parts(data, split=0, validation_split=2) == (["a0.png"], ["a2.png"])
    config = Config().override(["split=0", "validation_split=2"])
    assert (config.split, config.validation_split) == ("0", "2")


def test_a_run_on_other_records_is_not_gone_on_with(tmp_path):
    data, output = folder(tmp_path / "a", *[None] * 4), tmp_path / "run"
    output.mkdir()
    config = Config(data=data, image_size=32)

    def check():
        return run._check_folder(output, config, run._records(*open_parts(config)))

    (output / "config.json").write_text(check())
    (output / "model.keras").touch()
    check()
    lines = (tmp_path / "a" / "index.jsonl").read_text().splitlines()
    (tmp_path / "a" / "index.jsonl").write_text("\n".join(lines[:3]))
    with pytest.raises(KerasShrError, match=r"run on other records \(4 of them, now 3\)"):
        check()
    (output / "model.keras").unlink()
    check()
