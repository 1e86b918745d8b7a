"""MobileNetV2 on STB with the paper's losses.

Reproduces the "Ours" row of Table 2 of Zhang et al. 2022 (AUC 80.0 on STB, 0-30 px).

    keras-shr fit train/configs/stb.py --data STB --output runs/stb

Hardware, time and score: not run; STB cannot be downloaded by a program. The pipeline was run on
rendered hands written in STB's own layout.
"""

from keras_shr.training import Config

config = Config(
    image_size=256,  # not in the paper
    model={
        "backbone": "mobilenet_v2",
        "alpha": 1.0,
        "heatmap_stride": 4,  # not in the paper
        "target": "highly_differentiated",
        "target_options": {"alpha": 0.7, "threshold": 8, "metric": "chessboard"},
        "rcc": "row_column",
        "stability": "mst",
        "stability_weight": 1.0,  # not in the paper
        "stop_gradient": False,  # not in the paper
        "supervise_perturbed": False,
    },
    learning_rate=1e-3,  # not in the paper
    batch_size=32,  # not in the paper
    epochs=60,  # not in the paper
)
