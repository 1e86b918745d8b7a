"""Perturbed pictures that are made once."""

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.evaluation import perturber, runner
from keras_shr.evaluation.kept_pictures import KeptPictures
from keras_shr.evaluation.perturber import Perturber
from keras_shr.evaluation.protocol import Protocol

PROTOCOL = Protocol((64, 64), ("brightness", "spatter"), (1, 2))


class Counting(Perturber):
    """Counts the blocks that it makes."""

    made = 0

    def stream(self, tasks):
        for block in super().stream(tasks):
            self.made += 1
            yield block


def pictures(folder, data, perturber):
    tasks = list(runner.tasks(data.images, data.ids, PROTOCOL))
    return np.concatenate(list(KeptPictures(perturber, folder).stream(tasks)))


def test_the_same_pictures_are_made_once(tmp_path):
    data = fakes.make_data(20)
    pool = Counting(0, fakes.RANDOM_SHIFTS)
    tasks = list(runner.tasks(data.images, data.ids, PROTOCOL))
    expected = np.concatenate(list(Perturber(0, fakes.RANDOM_SHIFTS).stream(tasks)))
    np.testing.assert_array_equal(pictures(tmp_path, data, pool), expected)
    assert pool.made == len(tasks) == 4 * 3  # conditions, blocks of eight
    # A part that is missing, as after a kill, is made again; the others are not.
    next(tmp_path.glob("spatter-2-*.npy")).unlink()
    np.testing.assert_array_equal(pictures(tmp_path, data, pool), expected)
    assert pool.made == len(tasks) + 1


def test_other_images_have_other_pictures(tmp_path):
    data = fakes.make_data(8)
    pool = Counting(0, fakes.RANDOM_SHIFTS)
    first = pictures(tmp_path, data, pool)
    data.images[:] = np.roll(data.images, 1, 1)  # the same ids
    assert (pictures(tmp_path, data, pool) != first).any()
    assert pool.made == 8


def test_an_evaluation_reads_what_was_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(perturber, "REFERENCE", fakes.RANDOM_SHIFTS)
    data, seen = fakes.make_data(9), []
    runner.keep_pictures(data, PROTOCOL, tmp_path, 0, lambda done, *_: seen.append(done))
    assert seen[-1] == 9 * 4
    # Nothing is perturbed any more: this source would say so.
    monkeypatch.setattr(perturber, "REFERENCE", fakes.SHIFTS.replace(":shift", ":failing"))
    runner.keep_pictures(data, PROTOCOL, tmp_path, 0, False)
    with runner.make_perturber(PROTOCOL, 0, tmp_path) as kept:
        blocks = list(kept.stream(runner.tasks(data.images, data.ids, PROTOCOL)))
    assert sum(map(len, blocks)) == 9 * 4
    with pytest.raises(KerasShrError, match="failed"), runner.make_perturber(PROTOCOL, 0) as bare:
        list(bare.stream(runner.tasks(data.images, data.ids, PROTOCOL)))
