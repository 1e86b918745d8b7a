"""How sure a model is of pictures with a hand and without one, looked at whole and searched.

    python -m benchmarks.search_scores ../shared/real_hands --models hand hand-rendered

The scenes are those of benchmarks.search. Writes results/search_scores.csv: quantiles of the mean
score, and how many of the pictures reach two bars.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.machine import processor_and_cores
from benchmarks.search import SIDES, scene
from benchmarks.tables import Table

BARS = (0.3, 0.7)
QUANTILES = {"lowest": 0, "q25": 25, "median": 50, "q75": 75, "highest": 100}
FIELDS = (
    *("model", "way", "picture", "pictures", *QUANTILES),
    *(f"reach_{bar}" for bar in BARS),
    *("machine", "seed", "command"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--models", nargs="+", default=["hand"])
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--output", type=Path, default=Path("results/search_scores.csv"))
    options = parser.parse_args()
    command = (
        f"python -m benchmarks.search_scores {options.photographs} --models "
        f"{' '.join(options.models)} --count {options.count}"
    )

    from keras_shr.data import FolderReader
    from keras_shr.prediction import Predictor

    records = list(FolderReader(options.photographs, split="val", size=256))
    chosen = np.linspace(0, len(records) - 1, options.count).round().astype(int)
    pictures: dict = {"hand in a scene": [], "scene without a hand": [], "crop of a hand": []}
    for seed, i in enumerate(chosen):
        with_hand, empty, _ = scene(records[i], SIDES[seed % len(SIDES)], seed)
        shown = (with_hand, empty, records[i].image)
        for several, picture in zip(pictures.values(), shown, strict=True):
            several.append(picture)
    table = Table(options.output, ("model", "way", "picture"), FIELDS)
    for model in options.models:
        predictor = Predictor(model)
        for whole in (True, False):
            for kind, several in pictures.items():
                scores = [p.scores[0] for p in predictor.predict(several, whole=whole)]
                numbers = {name: f"{np.percentile(scores, q):.2f}" for name, q in QUANTILES.items()}
                reached = {f"reach_{bar}": int((np.array(scores) >= bar).sum()) for bar in BARS}
                table.add(
                    {
                        "model": Path(model).stem,
                        "way": "whole picture" if whole else "search",
                        "picture": kind,
                        "pictures": len(scores),
                        "machine": processor_and_cores(),
                        "seed": f"0 to {options.count - 1}",
                        "command": command,
                        **numbers,
                        **reached,
                    }
                )


if __name__ == "__main__":
    main()
