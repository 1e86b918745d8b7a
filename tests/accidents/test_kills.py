"""SIGKILL of real commands at random moments; `benchmarks/kills.py` does the same many times."""

import keras
import pytest
from real_kills import COMMANDS, Server, kill_and_finish

pytestmark = pytest.mark.slow
BACKEND = keras.config.backend()


@pytest.fixture(scope="module")
def server():
    with Server(BACKEND) as started:
        yield started


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    """A folder with a finished `fit`."""
    folder = tmp_path_factory.mktemp("kills")
    assert server.command(COMMANDS["fit"], folder) == 0
    (folder / "out").rename(folder / "made")
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_command_finishes_with_the_result_of_an_undisturbed_run(name, server, made):
    if name.startswith("export") and BACKEND != "tensorflow":
        pytest.skip("export needs TensorFlow")
    tally = kill_and_finish(server, name, made, kills=4, each=4)
    assert tally.kills == 4
    assert not tally.problems
