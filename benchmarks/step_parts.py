"""Where the time of a paired training step goes (TensorFlow).

    python -m benchmarks.step_parts PREPARED_FOLDER --output results/step_parts.csv

Input pipeline (reading, checking and decoding TFRecords, shuffling, batching), geometric
augmentation, perturbation, forward pass with losses, backward pass, and the optimizer's update.
Each is compiled and timed by itself; backward is a compiled gradient less the forward pass. All
take turns in one process, because a machine's pace drifts; times and shares of their sum are
medians over turns, of CPU time (all threads) and of time on the clock. A whole step without the
input pipeline stands below, for comparison with the sum. The input pipeline has threads of its own,
so in a real run it costs CPU time but, as long as it is faster than the rest, none on the clock.
"""

import argparse
import csv
import datetime
import os
import statistics
import sys
from pathlib import Path

from benchmarks.machine import processor_and_cores
from benchmarks.model_timing import prepared, take_turns
from keras_shr.files import replacing
from keras_shr.memory import keep_freed_memory

PARTS = ("input pipeline", "augmentation", "perturbation", "forward", "backward", "update")
WHOLE = "whole step, input apart"
FIELDS = (
    *("network", "image_size", "pairs", "part", "ms", "cpu_ms", "share", "cpu_share"),
    *("turns", "backend", "machine", "load", "seed", "versions", "date", "command"),
)


def makers(options):
    """Name → function that gives the function to time, as `model_timing.prepared` takes them."""
    import tensorflow as tf

    from keras_shr import _random
    from keras_shr.data import tfrecord_dataset
    from keras_shr.models import StableHeatmapRegressor
    from keras_shr.perturbations import perturb
    from keras_shr.skeletons import HAND_21

    stream = iter(
        tfrecord_dataset(
            options.data, options.pairs, shuffle=True, seed=0, repeat=True, verify="stream"
        )
    )
    images, keypoints = next(stream)
    images = tf.cast(images, "float32")
    seed = _random.as_seed(options.seed)
    model = StableHeatmapRegressor(
        21, options.size, skeleton=HAND_21, alpha=options.alpha, seed=options.seed
    )
    model.compile()
    model.optimizer.build(model.trainable_variables)
    pairs, labels, _ = model.make_pairs((images, keypoints), tf.constant(0))

    def batches():
        for _ in range(options.batches):
            next(stream)

    def compiled(function, *arguments):
        run = tf.function(function, autograph=False)
        # A slice of the answer is asked for, so that nothing is left to be computed.
        return lambda: tf.nest.map_structure(lambda x: x.numpy().flat[0], run(*arguments))

    def augmentation(images, keypoints):
        return model.augmentation(images, keypoints, seed=seed)[0]

    def perturbation(images):
        return perturb(images, seed, model.perturbations, model.severities)

    def forward(pairs, labels):
        return model.compute_loss(pairs, labels, model(pairs, training=True))

    def gradient(pairs, labels):
        with tf.GradientTape() as tape:
            loss = forward(pairs, labels)
        grads = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return [tf.reduce_sum(grad) for grad in grads]

    def update(*gradients):
        model.optimizer.apply(list(gradients), model.trainable_variables)
        return model.optimizer.iterations.value

    zeros = [tf.zeros(variable.shape) for variable in model.trainable_variables]
    return {
        "input pipeline": lambda: batches,
        "augmentation": lambda: compiled(augmentation, images, keypoints),
        "perturbation": lambda: compiled(perturbation, images),
        "forward": lambda: compiled(forward, pairs, labels),
        "gradient": lambda: compiled(gradient, pairs, labels),
        "update": lambda: compiled(update, *zeros),
        "step": lambda: lambda: model.train_on_batch(images, keypoints),
    }


def split(turn, batches):
    """One turn's times of what was timed → those of `PARTS`.

    Args:
        turn: name → seconds.
        batches: how many the input pipeline gave.
    """
    alone = turn | {
        "input pipeline": turn["input pipeline"] / batches,
        "backward": turn["gradient"] - turn["forward"],
    }
    return {name: alone[name] for name in PARTS}


def rows_of(times, batches):
    """`part, ms, cpu_ms, share, cpu_share` of each part, then of the whole step, from the times of
    all turns. The share of the whole step is its ratio to the sum of the parts without the input.
    """
    turns = [
        [
            split({name: found[i][which] for name, found in times.items()}, batches)
            for which in (0, 1)
        ]
        for i in range(min(map(len, times.values())))
    ]

    def median(part, which, share):
        values = []
        for turn in turns:
            whole = sum(turn[which].values()) if share else 1 / 1000
            values.append(turn[which][part] / whole)
        return statistics.median(values)

    def row(part, milliseconds, shares):
        numbers = [f"{value:.2f}" for value in milliseconds] + [f"{value:.3f}" for value in shares]
        return dict(zip(("ms", "cpu_ms", "share", "cpu_share"), numbers, strict=True), part=part)

    for part in PARTS:
        yield row(part, *([median(part, which, share) for which in (0, 1)] for share in (0, 1)))
    steps = [[1000 * found[which] for found in times["step"][: len(turns)]] for which in (0, 1)]
    sums = [
        [1000 * sum(turn[which][part] for part in PARTS[1:]) for turn in turns] for which in (0, 1)
    ]
    ratios = [
        statistics.median(step / whole for step, whole in zip(*pair, strict=True))
        for pair in zip(steps, sums, strict=True)
    ]
    yield row(WHOLE, map(statistics.median, steps), ratios)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared folder of hands")
    parser.add_argument("--size", type=int, required=True, help="side of its images in px")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of MobileNetV2")
    parser.add_argument("--batches", type=int, default=100, help="of the input pipeline, in a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/step_parts.csv"))
    options = parser.parse_args()
    keep_freed_memory()
    from benchmarks.scale import versions

    times = take_turns(prepared(makers(options), 600), options.turns, 600)
    words = ["DATA" if word == str(options.data) else word for word in sys.argv[1:]]
    facts = {
        "network": f"MobileNetV2 alpha {options.alpha:g}",
        "image_size": options.size,
        "pairs": options.pairs,
        "turns": options.turns,
        "backend": "tensorflow",
        "machine": processor_and_cores(),
        "load": f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores",
        "seed": options.seed,
        "versions": versions("tensorflow"),
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python -m benchmarks.step_parts", *words]),
    }
    rows = [facts | row for row in rows_of(times, options.batches)]
    for row in rows:
        print(f"{row['part']:24s} {row['ms']:>9s} ms {row['cpu_ms']:>9s} ms CPU {row['cpu_share']}")
    old = []
    if options.output.exists():
        with open(options.output, newline="") as file:
            mine = ("network", "image_size", "pairs", "machine")
            old = [r for r in csv.DictReader(file) if any(r[k] != str(facts[k]) for k in mine)]
    with replacing(options.output) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(old + rows)


if __name__ == "__main__":
    main()
