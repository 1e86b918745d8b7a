"""How far the native perturbations are from the reference library's pictures, given its own draws.

    python -m benchmarks.perturbation_parity --output results/perturbation_parity.csv

Five photographs (scikit-image's), one for each severity; mean absolute difference in grey levels.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from benchmarks.tables import Table
from keras_shr.perturbations import ALL_PERTURBATIONS, SEVERITIES

SIZES = ((64, 64), (128, 128), (240, 320), (256, 256))
KEY = ("backend", "kind", "height", "width", "severity")
FIELDS = (*KEY, "mean_difference", "share_of_values_that_differ", "command")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output")
    options = parser.parse_args()
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "perturbations"))
    from perturbation_oracles import beside_reference, photographs

    table, backend = Table(options.output, KEY, FIELDS), keras.config.backend()
    command = (
        f"KERAS_BACKEND={backend} python -m benchmarks.perturbation_parity "
        "--output results/perturbation_parity.csv"
    )
    for kind in ALL_PERTURBATIONS:
        for height, width in SIZES:
            actual, expected = beside_reference(kind, photographs(height, width))
            difference = np.abs(actual.astype(float) - expected)
            for severity, each in zip(SEVERITIES, difference, strict=True):
                table.add(
                    {
                        "backend": backend,
                        "kind": kind,
                        "height": height,
                        "width": width,
                        "severity": severity,
                        "mean_difference": f"{each.mean():.5f}",
                        "share_of_values_that_differ": f"{(each > 0).mean():.5f}",
                        "command": command,
                    }
                )
            worst = difference.mean(axis=(1, 2, 3)).max()
            print(f"{kind} {width}x{height}: {worst:.4f} at the worst severity", flush=True)


if __name__ == "__main__":
    main()
