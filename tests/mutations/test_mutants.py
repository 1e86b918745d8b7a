"""The list of protections is up to date; `make mutate` shows that each has its test."""

import dataclasses

import keras
import pytest

from tests.mutations.__main__ import Pool, _judge, _results
from tests.mutations.mutants import ROOT, Mutant, mutants

ALL = mutants()


@pytest.mark.parametrize("mutant", ALL, ids=[f"{m.file}: {m.says}" for m in ALL])
def test_each_protection_can_be_taken_out(mutant):
    assert mutant.problem() is None
    assert mutant.backend in ("tensorflow", "jax", "torch")


def test_each_protection_is_there_once():
    assert len({(m.file, str(m.old), str(m.new)) for m in ALL}) == len(ALL)
    assert len({m.says for m in ALL}) == len(ALL)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "guard.py").write_text("def safe(x):\n    return max(x, 0)\n")
    (tmp_path / "tests" / "test_guard.py").write_text(
        "from guard import safe\n\n\ndef test_negative():\n    assert safe(-1) == 0\n\n\n"
        "def test_positive():\n    assert safe(1) == 1\n"
    )
    return tmp_path


MUTANT = Mutant(
    "never negative", "guard.py", "max(x, 0)", "x", "tests/test_guard.py::test_negative"
)


class FakePool:
    """Runs a test of the tree in this process."""

    def __init__(self, tree):
        self.tree = tree

    def pytest(self, test, _):
        space = {}
        exec((self.tree / "guard.py").read_text(), space)
        body = (self.tree / "tests" / "test_guard.py").read_text().replace("from guard", "#")
        exec(body, space)
        try:
            space[test.partition("::")[2]]()
        except AssertionError:
            return 1, "E   assert -1 == 0"
        return 0, "1 passed"


def outcomes(tree, pool):
    weak = dataclasses.replace(MUTANT, test="tests/test_guard.py::test_positive")
    found = [_judge(MUTANT, pool, "passed"), _judge(weak, pool, "passed")]
    assert (tree / "guard.py").read_text() == "def safe(x):\n    return max(x, 0)\n"
    return found


def test_what_a_mutant_can_come_to(tree):
    expected = [("killed", "assert -1 == 0"), ("survived", "the test passed")]
    assert outcomes(tree, FakePool(tree)) == expected
    skipped = ("no test", "the test skipped with the protection in place")
    assert _judge(MUTANT, FakePool(tree), "skipped") == skipped


@pytest.mark.slow
def test_what_pytest_makes_of_mutants(tree):
    server = tree / "tests" / "mutations" / "pytest_server.py"
    server.parent.mkdir()
    server.write_text((ROOT / "tests" / "mutations" / "pytest_server.py").read_text())
    with Pool(tree, keras.config.backend()) as pool:
        assert outcomes(tree, pool)[1] == ("survived", "the test passed")
        assert outcomes(tree, pool)[0][0] == "killed"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"old": "min(x, 0)"}, "stands there 0 times"),
        ({"old": ["max(x, 0)", "min"], "new": ["x", "max"]}, "stands there 0 times"),
        ({"old": "x"}, "stands there 3 times"),
        ({"new": "max(x, 0)"}, "is not changed"),
        ({"new": "max(x"}, "no Python"),
        ({"file": "gone.py"}, "no such file"),
        ({"test": "tests/test_guard.py::test_gone"}, "no such test"),
        ({"test": "tests/test_gone.py::test_negative"}, "no such file"),
    ],
)
def test_a_mutant_that_cannot_be_made_is_named(changes, problem, tree):
    mutant = dataclasses.replace(MUTANT, **changes)
    assert problem in mutant.problem(tree)
    outcome, seen = _judge(mutant, FakePool(tree), "passed")
    assert outcome == "not made"
    assert problem in seen


def test_results_of_a_junit_file(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.a.test_b" name="test_c[1]"/>'
        '<testcase classname="tests.a.test_b" name="test_d"><skipped/></testcase>'
        '<testcase classname="tests.a.test_b" name="test_e"><failure/></testcase>'
        "</testsuite></testsuites>"
    )
    assert _results(report) == [
        ("tests/a/test_b.py::test_c[1]", "passed"),
        ("tests/a/test_b.py::test_d", "skipped"),
        ("tests/a/test_b.py::test_e", "failed"),
    ]
