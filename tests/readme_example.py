"""Runs the README's example as it stands there: python tests/readme_example.py [README.md]

In the current folder, with whatever keras_shr is installed; only the number of epochs is changed.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def example(readme=README) -> str:
    """The first block of Python in the README."""
    return re.search(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)[1]


def run(readme=README) -> dict:
    """Runs the example; gives its variables."""
    import keras
    import numpy as np

    code, replaced = re.subn(r"epochs=\d+", "epochs=1", example(readme))
    assert replaced == 1, "the example has one fit"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 128, 128, 3), "uint8")
    keypoints = np.concatenate([rng.uniform(8, 120, (6, 21, 2)), np.full((6, 21, 1), 2)], axis=-1)
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu")(inputs)
    space = {
        "images": images,
        "keypoints": keypoints.astype("float32"),
        "val_images": images[:2],
        "val_keypoints": keypoints[:2].astype("float32"),
        "my_network": keras.Model(inputs, keras.layers.Conv2D(4, 1)(x)),
    }
    exec(compile(code, str(readme), "exec"), space)
    assert space["xy_score"].shape == (2, 21, 3)
    assert np.isfinite(space["xy_score"]).all()
    assert Path("hand.keras").stat().st_size > 0
    assert Path("runs/hand/best.keras").stat().st_size > 0
    assert space["model"].num_keypoints == 5
    assert space["mine"].num_keypoints == 4
    return space


if __name__ == "__main__":
    run(*[Path(argument) for argument in sys.argv[1:]])
    from importlib.metadata import version

    import keras_shr

    print(f"the example of the README runs with keras_shr {version('keras-shr')}")
    print(f"imported from {Path(keras_shr.__file__).parent}")
