import os
import sys

import numpy as np
import pytest

from keras_shr.data import RenderedReader, load_arrays
from keras_shr.data.workers import run_tasks
from keras_shr.errors import KerasShrError


def _function(tmp_path, body):
    """A function of a module of its own, which worker processes can import."""
    name = f"module_{abs(hash((str(tmp_path), body)))}"
    (tmp_path / f"{name}.py").write_text(body)
    sys.path.insert(0, str(tmp_path))
    try:
        module = __import__(name)
    finally:
        sys.path.remove(str(tmp_path))
    return module.work


@pytest.fixture
def importable(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda body: _function(tmp_path, body)


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_once(importable, workers):
    work = importable("import os\ndef work(shared, task): return shared + task, os.getpid()")
    results = dict(run_tasks(work, range(20), 100, workers))
    assert {t: r[0] for t, r in results.items()} == {t: 100 + t for t in range(20)}
    assert (os.getpid() in {r[1] for r in results.values()}) == (workers == 1)


def test_workers_load_no_keras(importable):
    work = importable(
        "import sys\ndef work(shared, task):\n    import keras_shr.data.prepare\n"
        "    return [m for m in ('keras', 'tensorflow', 'jax') if m in sys.modules]"
    )
    assert [r for _, r in run_tasks(work, range(2), None, 2)] == [[], []]


def test_printing_does_not_disturb(importable):
    work = importable("def work(shared, task): print('x' * 9999); return task")
    assert sorted(r for _, r in run_tasks(work, range(4), None, 2)) == [0, 1, 2, 3]


def test_errors_come_back(importable):
    work = importable("def work(shared, task): raise KeyError(task)")
    with pytest.raises(KeyError):
        list(run_tasks(work, range(9), None, 2))
    work = importable("import os\ndef work(shared, task): os._exit(5)")
    with pytest.raises(KerasShrError, match=r"ended by itself \(exit code 5\) at task \d; "):
        list(run_tasks(work, range(9), None, 2))
    work = importable("class E(Exception):\n  pass\ndef work(s, t): raise E(lambda: 0)")
    with pytest.raises(RuntimeError, match="module_"):
        list(run_tasks(work, range(9), None, 2))


def test_worker_that_cannot_start(tmp_path):
    work = _function(tmp_path, "def work(shared, task): return 1")  # not on the path any more
    with pytest.raises(RuntimeError, match="could not start"):
        list(run_tasks(work, range(3), None, 2))


def test_closed_early(importable):
    work = importable("def work(shared, task): return task")
    tasks = run_tasks(work, range(50), None, 2)
    next(tasks)
    tasks.close()


@pytest.mark.slow
def test_rendered_hands_do_not_depend_on_the_number_of_workers(tmp_path):
    pytest.importorskip("keras_shr.rendering")
    reader = RenderedReader(80, seed=2, size=64)
    one, two = load_arrays(reader, workers=1), load_arrays(reader, workers=2)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    assert one.ids == two.ids
