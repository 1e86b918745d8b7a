"""The page: its events, its errors, and the real thing in a browser."""

import html
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_shr.app import Comparer, page, views
from keras_shr.app.examples import write_examples
from keras_shr.cli import main
from keras_shr.data import read_image
from keras_shr.models import PairedHeatmapModel
from keras_shr.perturbations import ALL_PERTURBATIONS, SENSOR_PERTURBATIONS
from keras_shr.skeletons import HAND_21
from tests.prediction.prediction_helpers import lamp_model, lamps

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
CONTROLS = ("snow", 0, 0, -1, None, 1)  # kind, severity, seed, keypoint, centre, zoom


class _Error(Exception):
    def __init__(self, message, print_exception=True):
        super().__init__(message)


@pytest.fixture
def fake_gradio(monkeypatch):
    module = types.ModuleType("gradio")
    module.Error = _Error
    monkeypatch.setitem(sys.modules, "gradio", module)


@pytest.fixture
def show(fake_gradio):
    return page.Handlers(Comparer({"baseline": lamp_model(), "ours": lamp_model()})).show


def test_without_gradio_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app"]) == 1
    error = capsys.readouterr().err
    assert "pip install 'gradio" in error
    assert len(error.strip().splitlines()) == 1


def test_a_model_that_is_not_there(fake_gradio, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lamp_model().save("a.keras")
    assert main(["app", "--model", "none.keras", "--baseline", "a.keras"]) == 1
    error = capsys.readouterr().err
    assert "none.keras" in error
    assert len(error.strip().splitlines()) == 1


def test_nothing_is_sent_home(fake_gradio):
    page.import_gradio()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_without_a_picture_it_says_what_to_do(show):
    shown = show(None, *CONTROLS)
    assert len(shown) == 2 * 5 + 1
    assert "Drop a picture" in shown[0]
    assert [shown[i] for i in (1, 3, 4)] == [None] * 3


def test_a_picture_gives_all_outputs(show, tmp_path):
    Image.fromarray(lamps(32, 32, [(8, 10), (20, 9), (14, 22)], 2)).save(tmp_path / "a.png")
    path = str(tmp_path / "a.png")
    shown = show(path, *CONTROLS)
    assert len(shown) == 2 * 5 + 1
    assert ["<h2>baseline" in shown[0], "<h2>ours" in shown[5]] == [True, True]
    assert [shown[i].shape for i in (1, 3, 4)] == [(512, 512, 3), (256, 256, 3), (256, 256, 3)]
    assert "green" in show(path, "snow", None, None, 1, None, None)[2]  # numbers deleted
    closer = show(path, "snow", 0, 0, -1, (8, 10), 4)
    assert np.abs(closer[1].astype(int) - shown[1]).max() > 50


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "CMYK", "P"])
def test_files_of_every_mode(show, tmp_path, mode):
    picture = Image.fromarray(lamps(64, 64, [(20, 40)] * 3, 5))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(path)
    assert "<b>0.0 px</b>" in show(str(path), *CONTROLS)[0]


def test_a_broken_file_is_named_without_its_folder(show, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(_Error, match=r"^a\.jpg: cannot be read as a picture"):
        show(str(tmp_path / "a.jpg"), *CONTROLS)


def test_a_click_looks_closer():
    assert page.look_closer(1, [30, 40]) == ((30, 40), 2)
    assert page.look_closer(3.5, [30, 40]) == ((30, 40), 3.5)


def test_it_looks_for_what_the_models_know(fake_gradio, tmp_path):
    handlers = page.Handlers(Comparer({"baseline": lamp_model(), "ours": lamp_model()}))
    assert handlers.find(None) == (None, 1)
    points = [(470, 300), (500, 310), (480, 330)]
    picture = lamps(400, 600, points, 4)
    Image.fromarray(picture).save(tmp_path / "a.png")
    centre, zoom = handlers.find(str(tmp_path / "a.png"))
    np.testing.assert_allclose(centre, (485, 315), atol=3)
    assert 6 * 0.99 < zoom <= 6  # 11 would be the lamps' own, more than the page offers
    found = handlers.comparer(picture, "snow", 0, 0, page.field_of_view(picture, centre, zoom))
    places = [(p - np.array(centre)) * zoom * 32 / 600 + 15.5 for p in np.array(points)]
    np.testing.assert_allclose(found.answers[1].before[:, :2], places, atol=1.5)
    Image.fromarray(lamps(60, 60, [(4, 30), (55, 20), (30, 55)], 4)).save(tmp_path / "full.png")
    assert handlers.find(str(tmp_path / "full.png")) == (None, 1)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(_Error, match=r"^b\.png: cannot be read as a picture"):
        handlers.find(str(tmp_path / "b.png"))


def hand_model(seed):
    """21 random mixtures of the colours: an answer for each keypoint, and no training."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((32, 32, 3))
    shrunk = keras.layers.Rescaling(1 / 16)(images)
    network = keras.Model(images, keras.layers.Conv2D(21, 3, padding="same")(shrunk))
    return PairedHeatmapModel(network, skeleton=HAND_21)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")
@pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="gradio is not installed")
def test_the_page_in_a_browser(tmp_path):
    for seed, name in enumerate(("baseline", "ours")):
        hand_model(seed).save(tmp_path / f"{name}.keras")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    port, log = free_port(), tmp_path / "log.txt"
    command = [sys.executable, "-m", "keras_shr.cli", "app", "--port", str(port)]
    command += ["--model", str(tmp_path / "ours.keras")]
    command += ["--baseline", str(tmp_path / "baseline.keras")]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        ends = time.monotonic() + 180
        while "Open http" not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.5)
        text = seen_by_chromium(f"http://127.0.0.1:{port}/", tmp_path)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
    assert not list(temporary.glob("keras_shr_app_*"))  # pictures go with the server

    # What the page says of its first example is what the library computes.
    models = {name: tmp_path / f"{name}.keras" for name in ("baseline", "ours")}
    comparer = Comparer(models)
    found = comparer(read_image(write_examples(tmp_path / "examples")[0]), "speckle_noise", 3)
    for answer in found.answers:
        assert f"{answer.name} {answer.moved.mean():.1f} px moved on average" in text
        assert f"{answer.moved.max():.1f} px at most" in text
    furthest = views.spoken(HAND_21.keypoints[found.furthest])
    assert text.count(f"Heatmap of {furthest}") == 2
    for word in (
        "Keypoints that stay put",
        "Perturbation",
        "Severity",
        "Seed",
        "Rendered hands",
        "Look for it",
    ):
        assert word in text
    for keypoint in HAND_21.keypoints:
        assert views.spoken(keypoint) in text


def seen_by_chromium(address, folder):
    """The page's text, in a browser that reaches this machine and no other."""
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'browser'}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--window-size=1440,1300",
            "--virtual-time-budget=20000",
            "--dump-dom",
            address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    body = re.sub(r"<(script|style).*?</\1>", " ", done.stdout, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_all_kinds_can_be_chosen():
    assert set(page.KINDS) == {*ALL_PERTURBATIONS, *SENSOR_PERTURBATIONS}
    assert len(page.KINDS) == 20
