"""The README's example is code that runs."""

import pytest

from tests.readme_example import run


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run()
