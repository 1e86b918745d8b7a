"""Which devices a run uses; `tests/distribution` trains on several."""

import json

import keras
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.training import devices

WORKERS = {"worker": ["a:1", "b:1"]}
FIRST = {"type": "worker", "index": 0}
EXPECTED = r'; expected \{"cluster": \{"worker": \["host1:2222", '

pytestmark = pytest.mark.skipif(
    keras.config.backend() not in ("tensorflow", "jax"), reason="one device only"
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", " is not JSON .*" + EXPECTED),
        ("[" * 100_000, " is not JSON .*" + EXPECTED),
        ([], r" is \[\]" + EXPECTED),
        ({"cluster": []}, r": cluster is \[\]" + EXPECTED),
        ({"cluster": {"worker": "a:1"}}, r": cluster is \{'worker': 'a:1'\}" + EXPECTED),
        ({"cluster": {"worker": [5]}}, r": cluster is .*" + EXPECTED),
        ({"cluster": WORKERS, "task": []}, r": task is \[\]" + EXPECTED),
        ({"cluster": WORKERS}, ": task type is None; expected 'worker'"),
        ({"cluster": WORKERS, "task": {"type": "ps"}}, ": task type is 'ps'; expected 'worker'"),
        (
            {"cluster": WORKERS, "task": FIRST | {"index": "x"}},
            ": task index is 'x'; expected .* 2 ",
        ),
        ({"cluster": WORKERS, "task": FIRST | {"index": 2}}, ": task index is 2; expected .* 2 "),
        (
            {"cluster": WORKERS, "task": FIRST | {"type": "chief"}},
            ": task index is 0; .* 0 machines",
        ),
    ],
)
def test_a_configuration_that_is_none_is_named(monkeypatch, value, words):
    monkeypatch.setenv("TF_CONFIG", value if isinstance(value, str) else json.dumps(value))
    with pytest.raises(KerasShrError, match=f"^TF_CONFIG{words}"):
        devices.find_devices()


def test_the_first_machine_is_the_chief(monkeypatch):
    def place(cluster, kind, index):
        task = {"type": kind, "index": index}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
        return devices._place()

    assert [place(WORKERS, "worker", index) for index in (0, 1)] == [0, 1]
    with_chief = {"chief": ["c:1"], **WORKERS}
    assert [place(with_chief, "worker", index) for index in (0, 1)] == [1, 2]
    assert place(with_chief, "chief", 0) == 0
