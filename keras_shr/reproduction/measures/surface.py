"""The loss around clean pictures, along a real perturbation and a random one (Fig. 10)."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_shr.evaluation.protocol import condition_seed
from keras_shr.evaluation.summary import csv_text
from keras_shr.files import write_text
from keras_shr.heatmaps import gaussian_heatmap, image_to_heatmap
from keras_shr.metrics import normalize_maps
from keras_shr.perturbations import EVALUATION_PERTURBATIONS, reference
from keras_shr.reproduction.measures.base import Measure, on_main

IMAGES = 100
ALONG = np.linspace(-1, 2, 7)
"""a: 0 is the clean picture, 1 the perturbed one (an unseen kind, severity 3)."""
ACROSS = np.linspace(-1, 1, 7)
"""b: in steps of `AMPLITUDE` / 3 grey levels of random sign."""
AMPLITUDE = 8.0
COLUMNS = ("a", "b", "loss")


class SurfaceLoss(keras.Model):
    """Images and one target → a loss for each image that means the same for every method.

    Methods differ in what their maps are, so each map is divided by its maximum and compared with
    a Gaussian target: 1000 times the mean squared error, over the labelled keypoints.
    """

    def __init__(self, network):
        super().__init__(dtype="float32")
        self.network = network

    def call(self, inputs):
        images, target, weight = inputs
        maps = ops.cast(self.network(images, training=False), "float32")
        maps = normalize_maps(ops.maximum(maps, 0.0), "max")
        error = 1000 * ops.mean(ops.square(maps - target), axis=(1, 2))
        return ops.sum(error * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)


def _surface(cell, folder, work, model):
    data = work.tests[cell.data]
    losses = SurfaceLoss(model)
    losses.compile(jit_compile=keras.config.backend() == "jax")
    surfaces = []
    # Spread over the set: the first of a film are nearly one picture.
    chosen = np.linspace(0, len(data) - 1, min(IMAGES, len(data))).round().astype(int)
    for index, kind in zip(chosen, itertools.cycle(EVALUATION_PERTURBATIONS), strict=False):
        work.deadline.check()
        surfaces.append(_of_image(losses, model, data, index, kind))
    surfaces = np.stack(surfaces)
    grid = surfaces.mean(0)
    rows = [
        {"a": float(a), "b": float(b), "loss": float(grid[i, j])}
        for i, a in enumerate(ALONG)
        for j, b in enumerate(ACROSS)
    ]
    smooth = [
        {"image": data.ids[i], "smoothness": float(v)}
        for i, v in zip(chosen, smoothness(surfaces), strict=True)
    ]
    write_text(folder / "smoothness.csv", csv_text(smooth, ("image", "smoothness")))
    write_text(folder / "surfaces.csv", csv_text(rows, COLUMNS))


def _of_image(losses, model, data, index, kind):
    image = data.images[index]
    perturbed = reference.perturb(image, kind, 3, condition_seed(0, data.ids[index], kind, 3))
    signs = np.random.default_rng([0, index]).choice((-1.0, 1.0), image.shape)
    clean = image.astype("float32")
    points = [
        clean + a * (perturbed - clean) + b * AMPLITUDE * signs for a in ALONG for b in ACROSS
    ]
    batch = np.clip(np.stack(points), 0, 255).astype("float32")
    keypoints = image_to_heatmap(
        data.keypoints[index : index + 1], image.shape[:2], model.heatmap_size
    )
    target = np.asarray(gaussian_heatmap(keypoints, model.heatmap_size))
    weight = (target.max((1, 2)) > 0).astype("float32")
    inputs = [batch, *(np.repeat(v, len(batch), axis=0) for v in (target, weight))]
    found = np.asarray(losses.predict_on_batch(tuple(inputs)))
    return found.reshape(len(ALONG), len(ACROSS))


def smoothness(surfaces):
    """Mean absolute second difference along both directions, for each `(a, b)` surface."""
    along = np.abs(np.diff(surfaces, 2, axis=-2)).mean((-2, -1))
    across = np.abs(np.diff(surfaces, 2, axis=-1)).mean((-2, -1))
    return (along + across) / 2


SURFACE = Measure("surfaces.csv", _surface, on_main)
