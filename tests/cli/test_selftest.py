"""The self-test tells what works, goes on after what does not, and says so in its exit status."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_shr import _devices, selftest
from keras_shr.cli import main
from keras_shr.selftest import machine, parts, training
from keras_shr.selftest.check import FAILED, OK, SKIPPED, Failure, Skip, run_check

ROOT = Path(__file__).resolve().parents[2]
TENSORFLOW = keras.backend.backend() == "tensorflow"


def test_outcomes():
    def skip():
        raise Skip("no such thing")

    def fail():
        raise Failure("broken; mend it")

    def crash():
        raise RuntimeError("first line\nsecond line")

    outcome = run_check("good", lambda a: (f"saw {a}", {"rate": 3.5}), 7)
    assert (outcome.status, outcome.detail, outcome.figures) == (OK, "saw 7", {"rate": 3.5})
    assert run_check("skip", skip).status == SKIPPED
    assert run_check("fail", fail).line().split(None, 2) == [FAILED, "fail", "broken; mend it"]
    crashed = run_check("crash", crash)
    assert (crashed.status, crashed.detail) == (FAILED, "RuntimeError: first line")
    assert "in crash" in crashed.trace
    for each in (outcome, crashed):
        assert len(each.line().splitlines()) == 1
        json.dumps(each.to_dict())


def test_the_command_fails_if_a_check_does_and_runs_the_others(monkeypatch, capsys):
    def run():
        yield run_check("one", lambda: "fine")
        yield run_check("two", lambda: 1 / 0)
        yield run_check("three", lambda: "fine")

    monkeypatch.setattr(selftest, "run_selftest", run)
    assert main(["selftest"]) == 1
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["ok", "FAILED", "ok"]
    assert "ZeroDivisionError" in lines[1]
    assert lines[3].startswith("1 of 3 checks FAILED")
    assert "Traceback" in output.err
    assert main(["selftest", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["passed"]
    assert [check["status"] for check in found["checks"]] == ["ok", "FAILED", "ok"]

    monkeypatch.setattr(selftest, "run_selftest", lambda: [run_check("one", lambda: "fine")])
    assert main(["selftest"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("all is well")


# Versions


def test_versions_are_those_of_the_project_s_files():
    """What is called tested is what requirements.txt lets pip install, and pyproject.toml asks."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["tensorflow"]]
    asked += project["optional-dependencies"]["jax"]
    for requirement in asked:
        name, _, lowest = requirement.partition(">=")
        assert machine.TESTED[name][0] == lowest, name
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.partition(">=")[0]: line.partition(">=")[2] for line in lines}
    for name, (lowest, limit) in machine.TESTED.items():
        if name not in ("python", "torch"):
            assert listed[name] == f"{lowest},<{limit}", name
    assert project["requires-python"] == f">={machine.TESTED['python'][0]}"


def test_versions(monkeypatch):
    assert machine.check_versions().startswith("keras_shr ")
    monkeypatch.setitem(machine.TESTED, "numpy", ("1.0", "1.1"))
    assert f"newer than tested: numpy {np.__version__} (tested below 1.1)" in (
        machine.check_versions()
    )
    monkeypatch.setitem(machine.TESTED, "numpy", ("99.0", "99.1"))
    with pytest.raises(Failure, match=r"too old: numpy .* \(needs 99.0\)"):
        machine.check_versions()
    monkeypatch.setitem(machine.TESTED, "no-such-package", ("1", "2"))
    with pytest.raises(Failure, match="no-such-package is not installed"):
        machine.check_versions()


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("3.9", "3.10", True),
        ("3.10", "3.10", False),
        ("3.10.1", "3.10", False),
        ("2.19.0rc1", "2.20", True),
        ("0.4.34", "0.11", True),
        ("14.0", "14", False),
    ],
)
def test_older(one, other, older):
    assert machine.is_older(one, other) == older


# Devices


def test_devices():
    found = _devices.devices()
    assert found[-1].kind == "cpu"
    assert "core" in found[-1].model
    assert all(device.kind != "cpu" for device in _devices.accelerators())
    for device in found:
        with keras.device(device.name):
            assert float(keras.ops.sum(keras.ops.ones((2, 3)))) == 6


@pytest.fixture
def no_gpu(monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_TORCH_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_devices, "devices", lambda: [_devices.Device("cpu:0", "2 cores")])
    monkeypatch.setattr(machine, "_has_nvidia_driver", lambda: False)
    return monkeypatch


def test_a_machine_without_a_gpu_is_fine(no_gpu):
    assert "no NVIDIA driver" in machine.check_devices()


def test_a_gpu_that_the_user_hides_is_fine(no_gpu):
    no_gpu.setattr(machine, "_has_nvidia_driver", lambda: True)
    no_gpu.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES='-1' hides it" in machine.check_devices()


@pytest.mark.parametrize("hint", ["pip install 'tensorflow[and-cuda]'", ""])
def test_a_gpu_that_the_backend_does_not_see_is_a_failure(no_gpu, hint):
    no_gpu.setattr(machine, "_has_nvidia_driver", lambda: True)
    no_gpu.setattr(machine, "_without_cuda", lambda backend: hint)
    with pytest.raises(Failure, match="alone: there is an NVIDIA driver") as error:
        machine.check_devices()
    assert (hint or "CUDA libraries are missing") in str(error.value)


# Training


def test_what_counts_as_learned():
    model = training.small_model()
    assert "loss 5.00 to 3.00 in 6 steps" in training.check_learned(model, [5, 4, 4, 3, 3, 3])
    with pytest.raises(Failure, match="loss became nan"):
        training.check_learned(model, [5, float("nan"), 3])
    with pytest.raises(Failure, match="does not lower the loss"):
        training.check_learned(model, [5, 5, 5, 5])
    variable = model.trainable_variables[0]
    variable.assign(keras.ops.full(variable.shape, float("inf")))
    with pytest.raises(Failure, match="is no longer finite"):
        training.check_learned(model, [5, 3, 3, 3])


def test_a_device_whose_heatmaps_differ_fails(monkeypatch):
    models, normal = [], training.small_model

    def other_weights(*arguments, **options):
        models.append(normal(*arguments, **options))
        if len(models) == 2:
            models[1].set_weights([-1.5 * weight for weight in models[1].get_weights()])
        return models[-1]

    monkeypatch.setattr(training, "small_model", other_weights)
    monkeypatch.setattr(training, "train", lambda model: [5, 3, 3, 3])
    with pytest.raises(Failure, match="heatmaps differ from the CPU's by"):
        training.check_device(_devices.devices()[-1])


def test_losses_that_differ_fail(monkeypatch):
    monkeypatch.setattr(training, "small_model", lambda **options: None)
    losses = iter([[5.0, 4.0], [5.0, 4.5]])
    monkeypatch.setattr(training, "train", lambda *arguments: next(losses))
    if keras.backend.backend() == "torch":
        with pytest.raises(Skip):
            training.check_compiled()
    else:
        with pytest.raises(Failure, match=r"5.0000 4.5000 with jit_compile, 5.0000 4.0000 without"):
            training.check_compiled()
    with pytest.raises(Skip, match="there is one cpu"):
        training.check_several([_devices.devices()[-1]])


# Parts


def test_a_perturbation_that_differs_fails(monkeypatch):
    monkeypatch.setattr(parts, "ALL_PERTURBATIONS", ("contrast",))
    assert "1 kinds like the reference" in parts.check_perturbations()
    perturb = parts.perturb_kind
    wrong = lambda images, *rest, **named: perturb(images, *rest, **named) + 3  # noqa: E731
    monkeypatch.setattr(parts, "perturb_kind", wrong)
    with pytest.raises(Failure, match="contrast differs from the reference by 3"):
        parts.check_perturbations()
    monkeypatch.setattr(parts, "ALL_PERTURBATIONS", ("gaussian_noise",))
    monkeypatch.setattr(parts, "perturb_kind", lambda images, *rest, **named: images)
    with pytest.raises(Failure, match=r"gaussian_noise moves a pixel by 0\.0 grey levels"):
        parts.check_perturbations()


def test_saving(monkeypatch):
    assert "the same keypoints" in parts.check_saving()
    monkeypatch.setattr(parts, "_apart", lambda found, expected: 1.5)
    with pytest.raises(Failure, match=r"1\.50 px off"):
        parts.check_saving()


@pytest.mark.skipif(TENSORFLOW, reason="TensorFlow exports")
def test_export_is_skipped_on_other_backends():
    with pytest.raises(Skip, match="export needs TensorFlow"):
        parts.check_tflite()


@pytest.mark.slow
def test_the_whole_of_it(capsys):
    status = main(["selftest"])
    lines = capsys.readouterr().out.splitlines()
    assert status == 0, lines
    assert len(lines) >= 10
    assert all(line.startswith(("ok ", "skipped ")) for line in lines[:-1])
    assert lines[-1].startswith("all is well")
    assert any("images/s" in line for line in lines)


TWO_DEVICES = """
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_shr import _devices
from keras_shr.selftest.training import check_device, check_several
devices = _devices.devices()
assert [device.name for device in devices] == ["cpu:0", "cpu:1"], devices
print(check_device(devices[1]))
print(check_several(devices))
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="the package uses one device there")
def test_two_devices():
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "on 2 devices" in done.stdout
