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
    },
    method="paper",  # with lambda 1 and no stopped gradient, which are not in the paper
    learning_rate=1e-3,  # not in the paper
    batch_size=32,  # not in the paper
    epochs=60,  # not in the paper
)
