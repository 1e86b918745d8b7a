"""Which cells a suite has, of what size and on which data."""

import json

import pytest
from tiny import TINY

from keras_shr.data import open_data
from keras_shr.errors import DataError, KerasShrError
from keras_shr.methods import METHODS
from keras_shr.reproduction import (
    ARCHITECTURES,
    SIZES,
    SUITES,
    data_sets,
    find_size,
    planned_cells,
)
from keras_shr.reproduction.data_sets import DataSet, make_data_set, parse_data
from keras_shr.reproduction.one_cell import cell_config


def test_suites_name_methods_and_backbones_that_exist():
    for suite in SUITES:
        for cell in planned_cells([suite], ["rendered"], 1):
            assert cell.method in METHODS
            assert cell.architecture in ARCHITECTURES


def test_a_plan_has_each_cell_once_and_the_first_seed_first():
    cells = planned_cells(["table1", "ablation", "fig8"], ["rhd", "stb"], 3)
    assert len(set(cells)) == len(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    # table1 is part of the ablation; fig8 shares three methods on MobileNetV2 with it.
    assert len(cells) == 3 * 2 * (11 + 3 * 6 - 3)
    assert set(planned_cells(["table1"], ["rhd"], 1)) <= set(cells)
    everything = set(planned_cells(["all"], ["rhd"], 1))
    for suite in SUITES:
        assert set(planned_cells([suite], ["rhd"], 1)) <= everything


def test_single_methods_can_be_planned():
    cells = planned_cells(["table3", "supervised", "ours"], ["rendered"], 2)
    assert [cell.method for cell in cells] == 2 * ["baseline", "paper", "ours", "supervised"]
    assert {cell.architecture for cell in cells} == {"mobilenet_v2"}


def test_an_unknown_suite_is_named():
    with pytest.raises(KerasShrError, match=r"no suite 'fig5'; there are table1.*: .*supervised"):
        planned_cells(["fig5"], ["rendered"], 1)


@pytest.mark.parametrize("size", SIZES)
def test_every_method_sees_the_same_number_of_images(size):
    data = {"rendered": DataSet("rendered", {"data": "prepared:t"}, None)}
    for cell in planned_cells(["all"], data, 1):
        config = cell_config(cell, SIZES[size], data["rendered"])
        assert config.batch_size * METHODS[cell.method].views == SIZES[size].images_per_step
        assert config.steps_per_epoch * config.epochs == SIZES[size].steps


def test_single_settings_of_a_size_can_be_changed():
    size = find_size("cpu", ["steps=700", "severities=[2, 4]", "test_images=None"])
    assert (size.steps, size.severities, size.test_images) == (700, (2, 4), None)
    assert size.image_size == SIZES["cpu"].image_size
    with pytest.raises(KerasShrError, match="there is no size 'huge'; there are cpu, gpu, paper"):
        find_size("huge")
    with pytest.raises(KerasShrError, match="'step' is no setting; there are train_images"):
        find_size("cpu", ["step=7"])
    with pytest.raises(KerasShrError, match="steps='many': expected a value like 3000"):
        find_size("cpu", ["steps=many"])
    with pytest.raises(KerasShrError, match="steps=0: it must be above 0"):
        find_size("cpu", ["steps=0"])
    assert find_size("cpu", ["rotation=0.0"]).rotation == 0


def test_cells_get_as_many_images_and_steps_as_the_tables_say():
    for assignment, message in (
        ("images_per_step=64", "images_per_step=64: it must be a multiple of 6, as a method shows"),
        ("steps=2005", "steps=2005: it must be a multiple of 10, as the epochs are alike"),
        ("epochs=7", "steps=3000: it must be a multiple of 7"),
    ):
        with pytest.raises(KerasShrError, match=message):
            find_size("cpu", [assignment])


def test_a_damaged_test_part_is_no_missing_one(tmp_path, monkeypatch):
    def opened(spec, split, size):
        if split == "test":
            raise DataError("shard 3 is damaged")
        return open_data(spec, split, size)

    monkeypatch.setattr(data_sets, "open_data", opened)
    with pytest.raises(KerasShrError, match="shard 3 is damaged"):
        make_data_set("mine", "rendered:2", TINY, tmp_path)


def test_data_words():
    assert parse_data(["rendered", "rhd=folder:a?size=3"]) == {
        "rendered": "",
        "rhd": "folder:a?size=3",
    }
    with pytest.raises(KerasShrError, match="expected rendered, or NAME=DATA"):
        parse_data(["prepared/rhd"])
    with pytest.raises(KerasShrError, match="two data sets are called 'a'"):
        parse_data(["a=x", "a=y"])


def test_data_without_a_test_part_are_refused(tmp_path):
    line = {"file": "a.png", "keypoints": [[1, 2]], "split": "train"}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))
    with pytest.raises(KerasShrError, match="has no test part"):
        make_data_set("mine", f"folder:{tmp_path}", TINY, tmp_path)
