"""The model table's CSV, turns and Markdown, without measuring a real model."""

import time
from pathlib import Path

import pytest

from benchmarks import model_timing, models
from benchmarks.model_table import markdown


@pytest.fixture
def options(tmp_path):
    options = models.parse_arguments(["--architectures", "mobilenet_v2", "vgg19_bn"])
    options.output, options.fig8 = tmp_path / "models.csv", tmp_path / "fig8.csv"
    return options


def settings(name, machine="here", size=256):
    values = (name, "tensorflow", machine, 2, size, 128, 4)
    return dict(zip(models.SETTINGS, values, strict=True))


def fill(table, name, **changes):
    table.add(settings(name, **changes), parameters=2_000_000, multiply_adds=5 * 10**8, gflops=1)


def test_a_second_run_measures_what_is_missing(options):
    table = models.Table(options.output)
    fill(table, "mobilenet_v2")
    table = models.Table(options.output)
    assert table.has(settings("mobilenet_v2"), "counts")
    assert not table.has(settings("mobilenet_v2"), "inference")
    assert not table.has(settings("mobilenet_v2", size=128), "counts")
    assert not table.has(settings("vgg19_bn"), "counts")
    table.add(settings("mobilenet_v2"), tflite_mb="3.1", tflite_float16_mb="1.6")
    table = models.Table(options.output)
    (row,) = table.rows.values()
    assert row["parameters"] == "2000000"
    assert row["tflite_mb"] == "3.1"
    assert row["versions"].startswith("keras ")
    assert row["command"].startswith("python -m benchmarks.models")


def test_counts_are_written_and_not_counted_again(options, monkeypatch):
    counted = []

    def build(name, size):
        import keras

        counted.append(name)
        inputs = keras.Input((size, size, 3))
        return keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs))

    monkeypatch.setattr(models, "build", build)
    options.measure = ["counts"]
    # Threads are set once in a process; the counts need none.
    monkeypatch.setattr("keras.config.backend", lambda: "jax")
    monkeypatch.setattr(models, "versions", lambda: "none")
    models.measure(options, models.Table(options.output))
    models.measure(options, models.Table(options.output))
    assert counted == ["mobilenet_v2", "vgg19_bn"]
    row = next(iter(models.Table(options.output).rows.values()))
    assert row["multiply_adds"] == str(256 * 256 * 12)
    assert row["parameters"] == "16"


def test_architectures_take_turns_until_their_time_is_up():
    calls = []
    functions = {
        "mobilenet_v2": lambda: calls.append("m"),
        "slow": lambda: (calls.append("s"), time.sleep(0.02)),
    }
    times = model_timing.take_turns(functions, turns=3, limit=0.03)
    assert calls == list("mmssmmmm")
    assert [len(each) for each in times.values()] == [3, 1]


def test_ratios_compare_the_same_turn():
    # The machine is four times as slow in the second turn, and the slow model stops after two.
    reference = [(1.0, 0.5), (4.0, 2.0), (1.0, 0.5)]
    slow = [(3.0, 1.0), (12.0, 4.0)]
    assert model_timing.summary(slow, reference) == (7.5, 2.5, 3, 2)


def test_groups_take_turns_with_the_reference(options, monkeypatch):
    calls = []

    monkeypatch.setattr(models, "build", lambda name, size: name)
    monkeypatch.setattr(models, "inference", lambda name: lambda: calls.append(name))
    options.at_once, options.turns = 1, 1
    names = ["vgg19_bn", "mobilenet_v2", "resnet50"]
    table = models.Table(options.output)
    models.measure_times("inference", names, options, table, settings)
    expected = ["mobilenet_v2"]  # made once
    for other in (["vgg19_bn"], [], ["resnet50"]):
        expected += [*other, "mobilenet_v2", "mobilenet_v2", *other, *other]
    assert calls == expected
    assert all(table.has(settings(name), "inference") for name in names)
    assert table.rows[table.key(settings("mobilenet_v2"))]["ms_ratio"] == "1.00"


@pytest.mark.skipif(not hasattr(model_timing.signal, "SIGALRM"), reason="no SIGALRM")
def test_what_takes_too_long_is_left_out(capsys):
    makers = {"quick": lambda: lambda: None, "slow": lambda: lambda: time.sleep(10)}
    assert list(model_timing.prepared(makers, limit=0.05)) == ["quick"]
    assert "slow: left out" in capsys.readouterr().err


def cells(text, name, table=0):
    found = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in found[table].strip("|").split("|")]


def test_markdown_shows_figures_of_one_machine_and_scores_of_the_reproduction(options):
    table = models.Table(options.output)
    fill(table, "mobilenet_v2")
    fill(table, "vgg19_bn")
    fill(table, "vgg19_bn", machine="elsewhere")
    table.add(settings("mobilenet_v2"), tflite_mb="3.1", tflite_float16_mb="1.6")
    table.add(settings("mobilenet_v2"), ms="50.4", cpu_ms="81", cpu_ms_ratio="1.00")
    text = markdown(table.rows.values(), options)
    shown = ["2.00", "1.00", "50 (81, x 1.0)", "not run", "3.1 / 1.6"]
    assert cells(text, "MobileNetV2")[1:] == shown
    assert cells(text, "VGG19-BN")[3:] == ["not run"] * 3
    assert text.count("| VGG19-BN |") == 1

    options.fig8.write_text(
        "architecture,method,auc_clean,auc_unseen,auc_seen,R,RUC,data,parameters\n"
        "mobilenet_v2,baseline,0.81,0.5,0.5,2000.4,0.51,rendered,400000\n"
        "mobilenet_v2,ours,0.8,0.625,0.7,130,0.8,rendered,400000\n"
        "mobilenet_v2,ours,0.1,0.1,0.1,1,0.1,photographs,400000\n"
        "vgg19_bn,baseline,0.9,0.6,0.6,900,0.6,rendered,2000100\n"
        "vgg19_bn,ours,,,,,,rendered,\n"
        "hrnet_w18,ours,,,,,,rendered,\n"
    )
    text = markdown(table.rows.values(), options)
    shown = ["0.40", "0.810 / 0.800", "0.500 / 0.625", "2000 / 130", "0.510 / 0.800"]
    assert cells(text, "MobileNetV2", 1)[1:] == shown
    assert cells(text, "VGG19-BN", 1)[1:3] == ["2.00", "0.900 / not run"]
    assert cells(text, "HRNet W18")[1:] == ["", *["not run"] * 4]
    assert "Trained alike on rendered hands" in text


def test_markdown_says_what_to_do_when_nothing_was_measured(options):
    assert "python -m benchmarks.models measures them" in markdown([], options)


def test_the_readme_shows_what_the_command_prints():
    root = Path(__file__).resolve().parents[2]
    options = models.parse_arguments([])
    options.output, options.fig8 = root / options.output, root / options.fig8
    text = markdown(models.Table(options.output).rows.values(), options)
    costs, scores = (block for block in text.split("\n\n") if block.startswith("|"))
    assert min(len(costs.splitlines()), len(scores.splitlines())) > 7
    assert costs in (root / "README.md").read_text("utf-8")
    assert scores in (root / "README.md").read_text("utf-8")
