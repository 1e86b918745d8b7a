"""How often a hand model is far off, on photographs that its training did not have.

    python -m benchmarks.failures ../shared/real_hands --models hand hand-rendered

Whole crops, argmax. A photograph counts where its keypoints are more than 20 px of 256 from the
labels on average. The labels of `rooms` and `digits` are MediaPipe's, those of `stereo` were
triangulated. Writes results/failures.csv.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.machine import processor_and_cores
from benchmarks.tables import Table

FAR = 20.0  # px of 256
SUBSETS = {"rooms": "val", "digits": "val", "stereo": "test"}
FIELDS = (
    *("model", "subset", "photographs", "far_off", "share", "median_px", "auc"),
    *("machine", "command"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--models", nargs="+", default=["hand", "hand-rendered"])
    parser.add_argument("--output", type=Path, default=Path("results/failures.csv"))
    options = parser.parse_args()

    from keras_shr.data import load_arrays, open_data
    from keras_shr.metrics import keypoint_auc
    from keras_shr.models import load_trained

    table = Table(options.output, ("model", "subset"), FIELDS)
    for name in options.models:
        model = load_trained(name)
        size = model.image_size[0]
        for subset, split in SUBSETS.items():
            spec = f"folder:{options.photographs}?subset={subset}&split={split}"
            data = load_arrays(open_data(spec, None, size))
            found = model.predict_keypoints(data.images, method="argmax")[..., :2] * 256 / size
            labels = data.keypoints * np.float32([256 / size, 256 / size, 1])
            distances = np.linalg.norm(found - labels[..., :2], axis=-1).mean(axis=1)
            far = int((distances > FAR).sum())
            table.add(
                {
                    "model": Path(name).stem,
                    "subset": subset,
                    "photographs": len(distances),
                    "far_off": far,
                    "share": f"{far / len(distances):.3f}",
                    "median_px": f"{np.median(distances):.1f}",
                    "auc": f"{float(keypoint_auc(labels, found)):.4f}",
                    "machine": processor_and_cores(),
                    "command": f"python -m benchmarks.failures {options.photographs} --models "
                    f"{' '.join(options.models)}",
                }
            )
            print(f"{name}, {subset}: {far} of {len(distances)} far off", flush=True)


if __name__ == "__main__":
    main()
