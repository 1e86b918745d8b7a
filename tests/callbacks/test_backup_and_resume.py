"""An interrupted run goes on as if nothing had happened."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from callback_helpers import Epochs, Interrupt, Interruption, fit_plain, plain_model

from keras_shr.callbacks import BackupAndResume, CSVHistory, run_callbacks
from keras_shr.errors import KerasShrError
from keras_shr.selftest.training import pictures, small_model
from keras_shr.skeletons import Skeleton

# Keras 3.15 saves variables through an `__array__` that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [np.asarray(v.value) for v in variables]


def assert_same_state(model, other):
    for a, b in zip(state_of(model), state_of(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def run(folder, epochs, *extra, seed=0, **options):
    """One start of "the same command"; the model is new, as in a new process."""
    model, trained = plain_model(seed, **options), Epochs()
    callbacks = [trained, *extra, CSVHistory(folder / "history.csv"), BackupAndResume(folder / "b")]
    return model, trained.seen, fit_plain(model, epochs, callbacks)


def rows(folder):
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))


def test_resumes_as_if_uninterrupted(tmp_path):
    whole, _, expected = run(tmp_path / "whole", 5)
    with pytest.raises(Interruption):
        run(tmp_path / "cut", 5, Interrupt(3))
    assert BackupAndResume.finished_epochs(tmp_path / "cut" / "b") == 3
    model, trained, history = run(tmp_path / "cut", 5, seed=1)
    assert trained == [3, 4]
    assert_same_state(model, whole)
    assert history.epoch == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(history.history["loss"], expected.history["loss"], rtol=1e-5)
    assert [row["epoch"] for row in rows(tmp_path / "cut")] == ["1", "2", "3", "4", "5"]
    for a, b in zip(rows(tmp_path / "cut"), rows(tmp_path / "whole"), strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-5)


def test_csv_written_but_epoch_not_backed_up(tmp_path):
    """Killed between the two: the epoch is trained again and its row is there once."""
    model, csv_history = plain_model(), CSVHistory(tmp_path / "history.csv")
    with pytest.raises(Interruption):
        fit_plain(
            model, 4, [csv_history, Interrupt(2, at_end=True), BackupAndResume(tmp_path / "b")]
        )
    assert len(rows(tmp_path)) == 3
    assert run(tmp_path, 4)[1] == [2, 3]
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2", "3", "4"]


def test_a_finished_run_is_recognised_and_can_be_extended(tmp_path):
    model, _, _ = run(tmp_path, 2)
    again, trained, history = run(tmp_path, 2, seed=1)
    assert trained == []
    assert history.epoch == [0, 1]
    assert len(history.history["loss"]) == 2
    assert_same_state(again, model)
    assert len(rows(tmp_path)) == 2
    _, trained, history = run(tmp_path, 3, seed=1)
    assert trained == [2]
    assert history.epoch == [0, 1, 2]
    assert len(rows(tmp_path)) == 3


def test_early_stopping_counts_as_finished(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert run(tmp_path, 4, Stop())[1] == [0, 1]
    assert run(tmp_path, 4)[1] == []
    assert run(tmp_path, 5)[1] == [2, 3, 4]


def test_the_next_fit_of_the_model_starts_at_the_beginning(tmp_path):
    run(tmp_path, 2)
    model, trained, _ = run(tmp_path, 3)
    assert trained == [2]
    later = Epochs()
    fit_plain(model, 1, [later])
    assert later.seen == [0]


def test_torn_files_are_not_taken_for_a_backup(tmp_path):
    run(tmp_path, 2)
    folder = tmp_path / "b"
    (folder / ".partial-1-epoch-00003.weights.h5").write_bytes(b"half")
    (folder / "epoch-00003.weights.h5").write_bytes(b"whole but not named by backup.json")
    assert run(tmp_path, 3)[1] == [2]
    assert sorted(p.name for p in folder.iterdir()) == ["backup.json", "epoch-00003.weights.h5"]


def test_weights_that_a_kill_left_go_when_nothing_is_trained_any_more(tmp_path):
    run(tmp_path, 2)
    named = tmp_path / "b" / "epoch-00002.weights.h5"
    named.with_name("epoch-00001.weights.h5").write_bytes(named.read_bytes())
    assert run(tmp_path, 2)[1] == []
    assert list((tmp_path / "b").glob("*.h5")) == [named]


def test_another_model_s_run_is_not_gone_on_with(tmp_path, capsys):
    """It would take the other's weights and train nothing, without a word."""

    def start(epochs=1, verbose=0, **options):
        # A layer among the settings, which is built by then; skeletons have names of their own.
        model = small_model(**{"augmentation": {}, "skeleton": Skeleton.generic(3)} | options)
        model.compile()
        callbacks = run_callbacks(tmp_path)
        return model.fit(*pictures(4), epochs=epochs, callbacks=callbacks, verbose=verbose)

    start()
    with pytest.raises(KerasShrError, match="a model with stability='mst', not None; give this"):
        start(stability=None)
    with pytest.raises(KerasShrError, match=r"a model with augmentation=.*'rotation': 30.*, not"):
        start(augmentation={"rotation": 10.0})
    with pytest.raises(KerasShrError, match="a model with skeleton="):
        start(skeleton=Skeleton("three", ("a", "b", "c")))
    assert capsys.readouterr().out == ""
    start(verbose=2)
    assert "all 1 epochs are done, nothing is trained" in capsys.readouterr().out
    assert len(start(epochs=2, verbose=2).history["loss"]) == 2
    assert f"{tmp_path}: going on after epoch 1 of 2" in capsys.readouterr().out


def test_another_learning_rate_is_not_taken_over_in_silence(tmp_path):
    """The backup's would be used. One that a callback lowers is the same run's."""
    lowered = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)

    def start(epochs, rate):
        model = plain_model(optimizer=keras.optimizers.Adam(rate))
        fit_plain(model, epochs, [lowered, BackupAndResume(tmp_path)])
        return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))

    assert start(2, 0.1) == pytest.approx(0.025)
    with pytest.raises(KerasShrError, match=r"with learning_rate=0\.1, not 0\.001; give this"):
        start(3, 0.001)
    assert start(3, 0.1) == pytest.approx(0.0125)


def test_a_model_whose_rate_a_callback_lowered_goes_on(tmp_path):
    """In a notebook the same model is fitted once more."""
    model = plain_model(optimizer=keras.optimizers.Adam(0.1))
    lowered = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)
    for epochs in (2, 3):
        fit_plain(model, epochs, [lowered, BackupAndResume(tmp_path)])
    assert BackupAndResume.finished_epochs(tmp_path) == 3
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.0125)
    with pytest.raises(KerasShrError, match=r"with learning_rate=0\.1, not 0\.001; give this"):
        fit_plain(
            plain_model(optimizer=keras.optimizers.Adam(0.001)), 4, [BackupAndResume(tmp_path)]
        )


def test_every(tmp_path):
    callback = BackupAndResume(tmp_path, every=2)
    with pytest.raises(Interruption):
        fit_plain(plain_model(), 9, [callback, Interrupt(3)])
    assert BackupAndResume.finished_epochs(tmp_path) == 2
    fit_plain(plain_model(), 5, [callback])
    assert BackupAndResume.finished_epochs(tmp_path) == 5


def early_stopping(best=True):
    return keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=best, mode="max")


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("use_ema", [False, True])
def test_an_early_stop_comes_back_as_it_ended(tmp_path, every, use_ema):
    """Also before the first backup, and with the best epoch's weights."""

    def start(seed, epochs, *callbacks):
        model = plain_model(seed, keras.optimizers.Adam(0.05, use_ema=use_ema))
        backup = BackupAndResume(tmp_path, every=every)
        return model, fit_plain(model, epochs, [*callbacks, backup]).epoch

    first, epochs = start(0, 9, early_stopping())  # the loss falls: the first epoch has the most
    assert epochs == [0, 1]
    again, epochs = start(1, 9, early_stopping())
    assert epochs == [0, 1]
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # More epochs go on from the last one, not from the best or from averages.
    longer, epochs = start(1, 10)
    assert epochs == list(range(10))
    whole = plain_model(0, keras.optimizers.Adam(0.05, use_ema=use_ema))
    fit_plain(whole, 10)
    assert_same_state(longer, whole)
    assert not list(tmp_path.glob("returned*"))


def test_averages_of_the_optimizer_are_restored(tmp_path):
    def optimizer():
        return keras.optimizers.Adam(use_ema=True, ema_momentum=0.5)

    whole, _, _ = run(tmp_path / "whole", 3, optimizer=optimizer())
    with pytest.raises(Interruption):
        run(tmp_path / "cut", 3, Interrupt(2), optimizer=optimizer())
    model, _, _ = run(tmp_path / "cut", 3, optimizer=optimizer(), seed=1)
    assert_same_state(model, whole)


def test_errors_say_what_to_do(tmp_path):
    run(tmp_path, 1)
    with pytest.raises(KerasShrError, match=r"does not fit the model .* to start over"):
        run(tmp_path, 2, width=7)
    (tmp_path / "b" / "backup.json").write_text("{")
    with pytest.raises(KerasShrError, match=r"backup\.json: not JSON"):
        run(tmp_path, 2)
    with pytest.raises(KerasShrError, match="every is 0"):
        BackupAndResume(tmp_path, every=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], r"holds \[\], expected an object"),
        ({}, "epoch is None, expected a number of epochs"),
        ({"epoch": "x"}, "epoch is 'x', expected"),
        ({"epoch": True}, "epoch is True, expected"),
        ({"weights": None}, "weights is None, expected the name of a .weights.h5 file beside it"),
        ({"weights": "../b.weights.h5"}, r"weights is '\.\./b\.weights\.h5', expected the name"),
        ({"weights": "/b.weights.h5"}, "weights is '/b"),
        ({"sha256": 5}, "sha256 is 5, expected text"),
        ({"settings": []}, r"settings is \[\], expected"),
        ({"began_at": "x"}, "began_at is 'x', expected"),
        ({"seeds": 1}, "seeds is 1, expected a list"),
        ({"stopped_at": "x"}, "stopped_at is 'x', expected"),
        ({"epochs": ["x"]}, r"epochs is \['x'\], expected"),
        ({"history": {"loss": 1}}, r"history is \{'loss': 1\}, expected"),
        ({"history": {"loss": [None]}}, "history is .*, expected"),
    ],
)
def test_a_state_that_is_none_is_named(tmp_path, changes, words):
    run(tmp_path, 1)
    path = tmp_path / "b" / "backup.json"
    (tmp_path / "b.weights.h5").write_bytes(
        (tmp_path / "b" / "epoch-00001.weights.h5").read_bytes()
    )
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | changes if changes else changes))
    words = rf"^{path}: {words}.*; remove the file to start over$"
    for read in (
        lambda: run(tmp_path, 2),
        lambda: BackupAndResume.finished_epochs(tmp_path / "b"),
        lambda: BackupAndResume(tmp_path / "b").run_began_at,
    ):
        with pytest.raises(KerasShrError, match=words):
            read()


def test_weights_that_were_damaged_are_not_gone_on_with(tmp_path):
    """HDF5 has no checksum: a flipped byte would be other numbers."""
    run(tmp_path, 1)
    state, weights = (tmp_path / "b" / name for name in ("backup.json", "epoch-00001.weights.h5"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    with pytest.raises(KerasShrError, match=rf"^{weights}: damaged, its SHA-256 .* to start over$"):
        run(tmp_path, 2)
    older = json.loads(state.read_text())
    del older["sha256"]  # as older versions wrote it
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    state.write_text(json.dumps(older))
    assert run(tmp_path, 2)[1] == [1]


def test_a_machine_that_does_not_write_changes_nothing(tmp_path):
    """It resumes from the folder of the first one, which may be cleaning up there itself."""
    model = small_model()
    model.compile()
    callbacks = run_callbacks(
        tmp_path, pictures(2), pictures=pictures(2)[0], tensorboard=True, writes=False
    )
    model.fit(*pictures(4), epochs=1, callbacks=callbacks, verbose=0)
    assert not list(tmp_path.iterdir())
    fit_plain(plain_model(), 9, [early_stopping(), BackupAndResume(tmp_path, writes=False)])
    assert not list(tmp_path.iterdir())  # nor is there a backup that it could have read
    run(tmp_path, 2)
    folder = tmp_path / "b"
    (folder / ".partial-1-epoch-00003.weights.h5").write_bytes(b"being written")
    (folder / "epoch-00003.weights.h5").write_bytes(b"not yet named by backup.json")

    def found():
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3
            # The first machine has backed the epoch up.
            state = json.loads((folder / "backup.json").read_text()) | {"epoch": epoch + 1}
            before["backup.json"] = json.dumps(state).encode()
            (folder / "backup.json").write_bytes(before["backup.json"])

    before, trained = found(), Epochs()
    other = BackupAndResume(folder, writes=False)
    fit_plain(plain_model(), 9, [trained, Stop(), other])
    assert trained.seen == [2, 3]
    assert found() == before


SCRIPT = """
    import os, signal, sys
    sys.path[:0] = {paths!r}
    import keras
    from callback_helpers import Epochs, fit_plain, plain_model
    from keras_shr.callbacks import BackupAndResume, CSVHistory

    where, folder = sys.argv[1], {folder!r}

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if where == "epoch" and self.epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    model, trained = plain_model(), Epochs()
    if where == "backup":
        whole = model.save_weights

        def torn(path):
            whole(path)
            if trained.seen[-1] == 2:
                os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        model.save_weights = torn
    history, backup = CSVHistory(folder + "/history.csv"), BackupAndResume(folder)
    fit_plain(model, 4, [trained, Kill(), history, backup])
    print("trained", trained.seen)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["epoch", "backup"])
def test_sigkill(tmp_path, where):
    here = Path(__file__).resolve().parent
    paths = [str(here), str(here.parents[1])]
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT.format(paths=paths, folder=str(tmp_path / "run"))))

    def start(argument):
        return subprocess.run(
            [sys.executable, str(script), argument],
            capture_output=True,
            text=True,
            env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
            timeout=300,
        )

    assert start(where).returncode == -signal.SIGKILL
    assert json.loads((tmp_path / "run" / "backup.json").read_text())["epoch"] == 2
    second = start("nowhere")
    assert "trained [2, 3]" in second.stdout, second.stderr
    assert [row["epoch"] for row in rows(tmp_path / "run")] == ["1", "2", "3", "4"]
    assert not list((tmp_path / "run").glob(".partial*"))


def test_another_optimizer_is_another_run(tmp_path):
    fit_plain(plain_model(), 1, [BackupAndResume(tmp_path)])
    with pytest.raises(KerasShrError, match="a model with optimizer='Adam', not 'SGD'"):
        fit_plain(plain_model(optimizer="sgd"), 2, [BackupAndResume(tmp_path)])
