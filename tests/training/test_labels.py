"""Labels that lie outside their crops train and measure nothing, and `fit` says so."""

import json

import numpy as np
import pytest

from keras_shr.cli import main
from keras_shr.data import KeypointData
from keras_shr.errors import DataError
from keras_shr.skeletons import Skeleton
from keras_shr.training._labels import check_labels
from tests.small_sets import grey_picture, save

TWO = Skeleton("two", ("a", "b"))


def labelled(*keypoints):
    keypoints = np.array(keypoints, "float32")
    return KeypointData(np.zeros((len(keypoints), 8, 8, 3), "uint8"), keypoints, TWO, name="mine")


def test_nothing_that_could_be_used_is_refused(capsys):
    outside = [[-3, 2, 2], [9, 9, 2]]
    for data, least, count in (
        (labelled(outside), 1, 2),
        (labelled([[2, 2, 1], [3, 3, 1]]), 2, 0),
        (labelled([[0, 0, 0], [0, 0, 0]]), 1, 0),
    ):
        with pytest.raises(DataError, match=rf"mine: of 2 keypoints in 1 images {count} are .*not"):
            check_labels(data, least, "learn from")
    check_labels(labelled([[2, 2, 1], [3, 3, 1]]), 1, "learn from")
    check_labels(labelled([[7.4, 2, 2], [99, 3, 0]]), 1, "learn from")
    assert not capsys.readouterr().err


def test_many_outside_are_told(capsys):
    data = labelled([[-3, 2, 2], [4, 4, 2]], [[2, 2, 2], [3, 3, 2]])
    check_labels(data, 1, "learn from", say=False)
    assert not capsys.readouterr().err
    check_labels(data, 1, "learn from")
    assert "mine: 25% of 4 labelled keypoints lie outside their crops" in capsys.readouterr().err


def test_fit_does_not_train_on_nothing(tmp_path, capsys):
    lines = []
    for number in range(4):
        save(tmp_path / f"{number}.png", grey_picture(64, 48))
        line = {"file": f"{number}.png", "keypoints": [[60, 40]] * 2, "box": [1, 1, 8, 8]}
        lines.append(json.dumps(line))
    (tmp_path / "index.jsonl").write_text("\n".join(lines))
    command = ["fit", "--data", str(tmp_path), "--output", str(tmp_path / "run"), "--workers", "1"]
    settings = ["image_size=32", "batch_size=2", "model.backbone=small_cnn"]
    assert main([*command, "--set", *settings]) == 1
    assert "there is nothing to learn from; are keypoints x, y in" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.keras").exists()
