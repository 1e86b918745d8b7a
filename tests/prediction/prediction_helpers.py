"""A model whose answers are known: keypoint k is the brightest place of colour channel k."""

import keras
import numpy as np

from keras_shr.models import PairedHeatmapModel
from keras_shr.prediction.sources import VideoWriter
from keras_shr.skeletons import Skeleton

SKELETON = Skeleton("lamps", ("red", "green", "blue"), ((0, 1), (1, 2)))
POINTS = [(40, 60), (90, 50), (70, 20)]


def lamp_model(size=32):
    images = keras.Input((size, size, 3))
    convolution = keras.layers.Conv2D(3, 1, use_bias=False)
    network = keras.Model(images, convolution(images))
    convolution.set_weights([0.2 * np.eye(3, dtype="float32")[None, None]])
    return PairedHeatmapModel(network, skeleton=SKELETON, rcc=None)


def lamps(height, width, points, radius=3):
    """A dark picture with a red, a green and a blue lamp at x, y."""
    y, x = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3), np.uint8)
    for channel, (cx, cy) in enumerate(points):
        light = 255 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
        picture[..., channel] = light.astype(np.uint8)
    return picture


def cut_off_film(folder):
    """A film of which half of the 60 frames are missing, as after a download that stopped."""
    noise = np.random.default_rng(0).integers(0, 60, (60, 64, 96, 3), dtype=np.uint8)
    path = folder / "cut.webm"
    with VideoWriter(path, 25) as writer:
        for i, frame in enumerate(noise):
            writer.write(frame + lamps(64, 96, [(30 + i // 4, 30)] * 3) // 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
