"""The hand model in saved_models/: photographs and rendered hands, from all sides.

    keras-shr fit train/configs/hand.py --output runs/hand

First part: 2,700 steps of 96 pairs at 2e-3 on one H100 (JAX, float32; eight minutes, five of them
compiling, shared with five other runs). Second part, on two CPU cores, from there:

    keras-shr fit train/configs/hand.py --output runs/hand-2 --set init=runs/hand/best.keras \\
        batch_size=16 learning_rate=6e-4 epochs=15 steps_per_epoch=100
"""

from keras_shr.training import Config

PHOTOGRAPHS = "folder:../shared/real_hands?subset=rooms,digits"

config = Config(
    data=[PHOTOGRAPHS, "rendered:10000?seed=7&views=all"],
    validation=f"{PHOTOGRAPHS}&split=val",
    image_size=128,
    model={
        "alpha": 1.0,
        "heatmap_stride": 2,
        "filters": (96, 64, 48, 32),
        # The photographs hold upright hands only; users' hands point everywhere.
        "augmentation": {"rotation": 180.0, "scale": (0.75, 1.3)},
    },
    batch_size=96,
    epochs=9,
    steps_per_epoch=300,
)
