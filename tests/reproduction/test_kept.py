"""Tables that go on without the models they are of, and beside other processes."""

import contextlib
import dataclasses
import json
import shutil

import pytest
from tiny import TINY, quiet, table

from keras_shr.errors import KerasShrError
from keras_shr.reproduction import reproduce, run


def without_cells(output, copy):
    """What version control keeps of a run."""
    copy.mkdir()
    for path in output.iterdir():
        if path.suffix in (".csv", ".json"):
            shutil.copy(path, copy)
    return tables(copy)


def tables(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def test_a_run_goes_on_from_its_tables_alone(fake, tmp_path):
    reproduce(["table1", "mst"], tmp_path / "a", size=TINY, say=quiet)
    before = without_cells(tmp_path / "a", tmp_path / "b")
    fake["done"].clear()
    assert reproduce(["table1"], tmp_path / "b", size=TINY, seeds=2, say=quiet) == []
    new = ["baseline", "rcc", "hdhr"]
    assert fake["done"] == [f"{method}-mobilenet_v2-rendered-1" for method in new]
    after = tables(tmp_path / "b")
    for name, content in before.items():  # also the rows of what this call did not name
        lines = after[name].splitlines()
        assert set(content.splitlines()) <= set(lines), name
        assert len(lines) == len(set(lines))
    # mst's second seed belongs to the plan, but not to this call.
    status = [(r["method"], r["status"]) for r in table(tmp_path / "b" / "cells.csv")[4:]]
    assert status == [*((method, "done") for method in new), ("mst", "not run")]
    # The same call finds the same, also where the new cells' folders were emptied.
    for _ in range(2):
        assert reproduce(["table1"], tmp_path / "b", size=TINY, seeds=2, say=quiet) == []
        assert tables(tmp_path / "b") == after
        shutil.rmtree(tmp_path / "b" / "cells" / "rcc-mobilenet_v2-rendered-1")
        (tmp_path / "b" / "cells" / "rcc-mobilenet_v2-rendered-1").mkdir()
    assert len(fake["done"]) == 3


def test_rows_of_cells_that_are_no_longer_planned_stay(fake, tmp_path):
    reproduce(["table1", "mst"], tmp_path / "a", size=TINY, say=quiet)
    before = without_cells(tmp_path / "a", tmp_path / "b")
    plan = json.loads((tmp_path / "b" / "plan.json").read_text())
    (tmp_path / "b" / "plan.json").write_text(json.dumps(plan | {"suites": ["hdhr"]}))
    reproduce(["hdhr"], tmp_path / "b", size=TINY, say=quiet)
    after = tables(tmp_path / "b")
    assert {n: sorted(t.split()) for n, t in after.items()} == {
        n: sorted(t.split()) for n, t in before.items()
    }


def test_a_row_taken_out_of_the_tables_is_a_cell_to_train(fake, tmp_path):
    reproduce(["table1"], tmp_path / "a", size=TINY, say=quiet)
    without_cells(tmp_path / "a", tmp_path / "b")
    lines = (tmp_path / "b" / "cells.csv").read_text().splitlines(keepends=True)
    (tmp_path / "b" / "cells.csv").write_text("".join(x for x in lines if "rcc" not in x))
    fake["done"].clear()
    reproduce(["table1"], tmp_path / "b", size=TINY, say=quiet)
    assert fake["done"] == ["rcc-mobilenet_v2-rendered-0"]
    assert len(table(tmp_path / "b" / "scores.csv")) == 6  # its old rows are gone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": dataclasses.replace(TINY, learning_rate=1.0)}, r"another size \(learning_rate"),
        ({"data": ["mine=elsewhere"]}, r"another data \(mine=None\)"),
        ({"ids": ["a", "c"]}, "other pictures of rendered; give these again"),
        ({"remove": "plan.json"}, "rows of baseline, .* neither its folder nor plan.json, without"),
        ({"remove": "cells.csv"}, "rows of baseline, .* neither its folder nor cells.csv, without"),
        ({"cells.csv": "method,status\nrcc,done\n"}, "cells.csv:2: expected method, architecture"),
    ],
    ids=["size", "data", "pictures", "plan", "cells", "damage"],
)
def test_tables_of_another_run_are_not_written_over(fake, tmp_path, change, message):
    reproduce(["table1"], tmp_path / "a", size=TINY, say=quiet)
    folder = tmp_path / "b"
    without_cells(tmp_path / "a", folder)
    if "remove" in change:
        (folder / change["remove"]).unlink()
    if "cells.csv" in change:
        (folder / "cells.csv").write_text(change["cells.csv"])
    fake["ids"] = change.get("ids", fake["ids"])
    before = tables(folder)
    options = {"size": change.get("size", TINY), "data": change.get("data", ["rendered"])}
    with pytest.raises(KerasShrError, match=message):
        reproduce(["table1"], folder, seeds=2, say=quiet, **options)
    assert tables(folder) == before


def test_what_another_process_planned_meanwhile_stays_in_the_tables(fake, tmp_path):
    """Each writes the tables of all, after each of its cells."""

    def plan_more(*_):
        with monkeypatch.context() as patch:
            patch.setattr(run, "perturbed_pictures", lambda *_: None)
            reproduce(["table1"], tmp_path, size=TINY, seeds=2, say=quiet)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(run, "perturbed_pictures", plan_more)
        monkeypatch.setattr(run, "_lock", lambda *_, **__: contextlib.nullcontext(True))
        reproduce(["table3"], tmp_path, size=TINY, say=quiet)
    rows = table(tmp_path / "cells.csv")
    left = [(row["method"], row["seed"]) for row in rows if row["status"] != "done"]
    assert left == [("paper", "1"), ("ours", "1")]
    assert len(rows) == 10
