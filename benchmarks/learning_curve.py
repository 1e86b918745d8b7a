"""Fine-tuning a trained model on few labelled images, beside training from scratch.

    python -m benchmarks.learning_curve "folder:../shared/real_hands?subset=digits" \\
        --output results/learning_curve.csv

The new task has five keypoints that no trained model knows: the middle of each finger, from the
labels of its joints. `hand-rendered` has never seen a photograph. Every cell trains for the same
number of steps on n images (whole people, evenly over the set) and is judged on all images of the
part "val", clean and under one draw of the ten seen kinds. Cells that the table has are not
trained again.
"""

import argparse
import sys
import time

import keras
import numpy as np

from benchmarks.tables import Table
from keras_shr.callbacks import RobustnessProbe
from keras_shr.data import load_arrays, open_data
from keras_shr.memory import keep_freed_memory
from keras_shr.models import StableHeatmapRegressor, default_optimizer
from keras_shr.skeletons import Skeleton
from keras_shr.training import Batches

KEY = ("images", "way", "steps", "seed")
FIELDS = (*KEY, *RobustnessProbe.KEYS, "seconds", "command")
FINGERS = ("thumb", "index", "middle", "ring", "little")
MIDDLES = Skeleton("finger_middles", tuple(f"{finger}_middle" for finger in FINGERS))
# The joints to both sides of each middle, in the order of HAND_21.
JOINTS = np.array([(2, 3), (6, 7), (10, 11), (14, 15), (18, 19)])


def new_task(data):
    """The same pictures with the middles of the fingers as keypoints."""
    both = data.keypoints[:, JOINTS]
    keypoints = both.mean(2)
    keypoints[..., 2] = both[..., 2].min(2)
    return type(data)(data.images, keypoints, MIDDLES, data.ids, data.groups, data.name)


def some_people(data, count):
    """`count` images of as few people as give them."""
    order = np.argsort(np.array(data.groups), kind="stable")
    return data.take(order[:count])


def start(way, name, rate, seed):
    """A compiled model."""
    if way == "scratch":
        config = StableHeatmapRegressor.from_pretrained(name).get_config()
        keras.utils.set_random_seed(seed)
        config |= {"num_keypoints": len(MIDDLES), "skeleton": MIDDLES, "augmentation": {}}
        model = StableHeatmapRegressor.from_config(config | {"seed": seed})
    else:
        keras.utils.set_random_seed(seed)
        frozen = way == "fine-tuned, backbone frozen"
        model = StableHeatmapRegressor.from_pretrained(
            name, skeleton=MIDDLES, freeze=frozen, seed=seed
        )
    model.compile(default_optimizer(rate))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="hands with 21 keypoints, with parts train and val")
    parser.add_argument("--model", default="hand-rendered")
    parser.add_argument("--counts", nargs="+", type=int, default=[50, 200, 1000])
    parser.add_argument(
        "--ways", nargs="+", default=["scratch", "fine-tuned", "fine-tuned, backbone frozen"]
    )
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="results/learning_curve.csv")
    options = parser.parse_args()
    command = " ".join(["python -m benchmarks.learning_curve", *sys.argv[1:]])
    keep_freed_memory()
    size = StableHeatmapRegressor.from_pretrained(options.model).image_size[0]
    train, validation = (
        new_task(load_arrays(open_data(options.data, split, size), 0)) for split in ("train", "val")
    )
    probe, table = RobustnessProbe(validation), Table(options.output, KEY, FIELDS, _order)
    for count in options.counts:
        for way in options.ways:
            row = dict(zip(KEY, (count, way, options.steps, options.seed), strict=True))
            if row in table:
                continue
            began = time.monotonic()
            model = start(way, options.model, options.learning_rate, options.seed)
            few = some_people(train, count)
            batches = Batches(few, options.batch_size, options.seed, options.steps)
            model.fit(batches, shuffle=False, verbose=0)
            row |= {name: round(value, 4) for name, value in probe.measure(model).items()}
            row |= {"seconds": round(time.monotonic() - began), "command": command}
            print(*(f"{k} {v}" for k, v in row.items()), sep=", ", flush=True)
            table.add(row)


def _order(row):
    return int(row["images"]), row["way"] != "scratch"


if __name__ == "__main__":
    main()
