"""MobileNetV2 on RHD with the paper's losses.

Reproduces the "Ours" row of Table 2 of Zhang et al. 2022 (AUC 80.3 on RHD, 0-30 px).

    keras-shr fit train/configs/rhd.py --data RHD_published_v2 --output runs/rhd

Hardware, time and score: not run; RHD cannot be downloaded by a program. The pipeline was run on
rendered hands written in RHD's own layout.
"""

from keras_shr.training import Config

# The optimizer is AdamW with a warm-up over 5 % of the steps, a cosine down to 1 % of the rate,
# weight decay 1e-4 and gradients clipped at a norm of 1 (default_optimizer); not in the paper.
config = Config(
    split="train",
    validation_share=0.1,  # of the training images, the others being for the test; not in the paper
    image_size=256,  # not in the paper
    model={
        "backbone": "mobilenet_v2",
        "alpha": 1.0,  # not in the paper
        "weights": None,  # not in the paper
        "heatmap_stride": 4,  # not in the paper
        "filters": 128,  # not in the paper
        "skip_connections": True,  # not in the paper
        "batch_norm_momentum": 0.98,  # not in the paper
        "frozen_batch_norm": False,  # not in the paper
        "dtype": "float32",  # not in the paper
        "augmentation": {
            "rotation": 30.0,  # not in the paper
            "scale": (0.8, 1.25),  # not in the paper
            "shift": 0.08,  # not in the paper
            "flip": 0.5,  # not in the paper
        },
    },
    method="paper",  # with lambda 1 and no stopped gradient, which are not in the paper
    learning_rate=1e-3,  # not in the paper
    batch_size=32,  # not in the paper
    epochs=60,  # not in the paper
)
