"""The hand model in saved_models/: photographs and rendered hands, from all sides.

    keras-shr fit train/configs/hand.py --output runs/hand --set init=runs/real/ours-0/model.keras

`init` is the model "ours", seed 0, of results/comparison_curves.csv, trained on the photographs
alone. Without `--set init=...` training starts from random weights and needs more
epochs.
"""

from keras_shr.training import Config

PHOTOGRAPHS = "folder:../shared/real_hands?subset=rooms,digits"

config = Config(
    data=[PHOTOGRAPHS, "rendered:6000?seed=7"],
    validation=f"{PHOTOGRAPHS}&split=val",
    image_size=128,
    model={
        "alpha": 0.5,
        "heatmap_stride": 2,
        "filters": (128, 64, 64, 64),
        # The photographs hold upright hands only; users' hands point everywhere.
        "augmentation": {"rotation": 180.0},
    },
    learning_rate=1e-3,
    batch_size=32,
    epochs=12,
    steps_per_epoch=250,
)
