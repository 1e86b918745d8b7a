"""Changes of the default recipe, each alone, judged on rendered validation hands.

    python -m benchmarks.recipes --seeds 0 1 --output results/recipes.csv

`small_cnn` at 64 px on 8,000 rendered open hands without geometric augmentation, 2,000 steps of 16
pairs at 3e-3, seen kinds only; judged on 256 validation hands under one draw of those kinds. No
test picture is looked at. Rows that the table has are not trained again. TensorFlow.
"""

import argparse
import sys
import time

import keras

from benchmarks import machine
from benchmarks.tables import Table
from keras_shr.callbacks import RobustnessProbe
from keras_shr.data import load_arrays, open_data
from keras_shr.errors import KerasShrError
from keras_shr.memory import keep_freed_memory
from keras_shr.models import StableHeatmapRegressor, default_optimizer
from keras_shr.training import Batches

KEY = ("recipe", "steps", "seed")
FIELDS = ("machine", *KEY, *RobustnessProbe.KEYS, "seconds", "command")
SIZE, PAIRS, RATE = 64, 16, 3e-3
NETWORK = {"backbone": "small_cnn", "image_size": SIZE, "filters": (64, 48, 32)}
NETWORK |= {"heatmap_stride": 2, "augmentation": None}
SUPERVISED = {"target": "gaussian", "rcc": None, "stability": None}
CLEAN = {"stability": None, "perturbations": None}


class Teacher(keras.callbacks.Callback):
    """A moving average of the network, whose clean maps the perturbed ones are held to."""

    def __init__(self, network, momentum):
        super().__init__()
        self.momentum, self.network = momentum, keras.models.clone_model(network)
        self.network.set_weights(network.get_weights())
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        keep = min(self.momentum, self.steps / (self.steps + 10))
        for mean, variable in zip(self.network.weights, self.model.network.weights, strict=True):
            mean.assign(keep * mean + (1 - keep) * variable)


class TaughtRegressor(StableHeatmapRegressor):
    """Maximum stability towards the maps of `teacher`, a function from images to logits."""

    teacher = None

    def view_losses(self, target, maps, images, sample_weight):
        clean = self.output_maps(self.teacher(images[0]), training=True)
        supervision, _ = super().view_losses(target, maps, images, sample_weight)
        weights = self.keypoint_weights(target, sample_weight)
        return supervision, self.stability_loss(clean, maps[1], weights)


def rising(weight, share):
    """A factor lambda that rises from 0 to `weight` over `share` of the run."""
    return lambda steps: keras.optimizers.schedules.PolynomialDecay(
        0.0, max(1, round(share * steps)), weight
    )


def train(batches, steps, seed, **options):
    """The default recipe with other options of the model."""
    weight = options.pop("stability_weight", 1.0)
    start, ema = options.pop("start", None), options.pop("ema", None)
    momentum = options.pop("teacher", None)
    keras.utils.set_random_seed(seed)
    kind = StableHeatmapRegressor if momentum is None else TaughtRegressor
    options["stability_weight"] = weight(steps) if callable(weight) else weight
    model = kind(21, seed=seed, **NETWORK | options)
    if start is not None:
        model.set_weights(start)
    optimizer = default_optimizer(RATE)
    if ema is not None:
        averaging = {"use_ema": True, "ema_momentum": ema}
        optimizer = type(optimizer).from_config(optimizer.get_config() | averaging)
    callbacks = []
    if momentum is not None:
        callbacks.append(Teacher(model.network, momentum))
        teacher = callbacks[0].network
        model.teacher = lambda images: teacher(images, training=False)
    model.compile(optimizer, metrics=[])
    batches = batches(options.get("perturbations", True) is not None, steps)
    model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def warm_start(batches, steps, seed, **options):
    """A third of the steps on clean images only, as many of them; then the default recipe."""
    first = train(batches, steps // 3, seed, **CLEAN)
    return train(batches, steps - steps // 3, seed, start=first.get_weights(), **options)


RECIPES = {
    "default": (train, {}),
    "supervised": (train, SUPERVISED),
    "weights averaged (EMA .99)": (train, {"ema": 0.99}),
    "teacher averaged (.99)": (train, {"teacher": 0.99}),
    "warm start, clean third": (warm_start, {}),
    "lambda rising to 1 over half": (train, {"stability_weight": rising(1.0, 0.5)}),
    "lambda rising to 3 over all": (train, {"stability_weight": rising(3.0, 1.0)}),
    "correlation in training only": (train, {"rcc_in_inference": False}),
    "no correlation": (train, {"rcc": None}),
    "st for mst": (train, {"stability": "st"}),
    "no stability loss": (train, {"stability": None}),
    "heatmap stride 4": (train, {"heatmap_stride": 4, "filters": (64, 48)}),
    "heatmap stride 1": (train, {"heatmap_stride": 1, "filters": (64, 48, 32, 32)}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--output", default="results/recipes.csv")
    options = parser.parse_args()
    for name in options.recipes:
        if name not in RECIPES:
            raise KerasShrError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    command = " ".join(["python -m benchmarks.recipes", *sys.argv[1:]])
    keep_freed_memory()
    hands = "rendered:{}?seed=0&views=front&poses=open"
    images = load_arrays(open_data(hands.format(8000), "train", SIZE), 0)
    probe = RobustnessProbe(load_arrays(open_data(hands.format(256), "val", SIZE), 0))
    table = Table(options.output, KEY, FIELDS)
    for seed in options.seeds:

        def batches(paired, steps, seed=seed):
            return Batches(images, PAIRS if paired else 2 * PAIRS, seed, steps)

        for name in options.recipes:
            row = {"recipe": name, "steps": options.steps, "seed": seed}
            if row in table:
                continue
            began, (run, changes) = time.monotonic(), RECIPES[name]
            model = run(batches, options.steps, seed, **changes)
            row |= {key: round(value, 4) for key, value in probe.measure(model).items()}
            row |= {"seconds": round(time.monotonic() - began), "command": command}
            table.add({"machine": machine.processor_and_cores(), **row})
            print(*(f"{k} {v}" for k, v in row.items() if k != "command"), sep=", ", flush=True)


if __name__ == "__main__":
    main()
