"""A reproduction whose cells leave what a cell leaves and train nothing."""

import json
from types import SimpleNamespace

import pytest

from keras_shr.reproduction import results, run
from keras_shr.reproduction.data_sets import DataSet


@pytest.fixture
def fake(monkeypatch):
    """Replaces data and cells; `fake[key]` is an exception to raise."""
    failures, done = {}, []

    def run_cell(cell, folder, work):
        if cell.key in failures:
            raise failures[cell.key]
        done.append(cell.key)
        (folder / "history.csv").write_text(
            "epoch,loss,val_auc_clean\n1,9,0\n2,8,0\n3,7,0\n4,2.5,0.1\n5,1.5,0.25\n"
        )
        (folder / "scores.csv").write_text(
            "model,data,group,kind,severity,metric,decoding,visibility,value,low,high,n\n"
            "x,y,clean,,,auc,argmax,all,0.5,0.4,0.6,126\n"
        )
        (folder / "times.json").write_text('[{"seconds": 2, "step": 0.1}]')
        row = "group,kind,severity,metric,decoding,visibility,value,low,high,n\n"
        (folder / "extra.csv").write_text(row + "extra,,,auc,argmax,all,0.25,0.2,0.3,126\n")
        (folder / "temporal.csv").write_text("source,metric,value,low,high\nmotion,jitter,3,2,4\n")
        (folder / "surfaces.csv").write_text("a,b,loss\n0,0,1.5\n")
        (folder / "maps.npz").touch()
        facts = {"parameters": 7, "evaluate_seconds": 1, "backend": "b", "device": "d"}
        (folder / "facts.json").write_text(json.dumps(facts | {"versions": "v"}))

    monkeypatch.setattr(run, "run_cell", run_cell)
    monkeypatch.setattr(run, "make_data_set", lambda n, *_: DataSet(n, {"data": "p:t"}, None))
    monkeypatch.setattr(run, "load_test", lambda *_: SimpleNamespace(ids=failures["ids"]))
    monkeypatch.setattr(run, "perturbed_pictures", lambda *_: None)
    monkeypatch.setattr(results, "_write_pictures", lambda *_: None)
    failures |= {"done": done, "ids": ["a", "b"]}
    return failures
