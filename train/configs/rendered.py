"""Our recipe on rendered hands, which need no download.

    keras-shr fit train/configs/rendered.py --output runs/rendered

Hardware, time and score: the same recipe at 128 px (alpha 0.5, 1,800 steps of 64 pairs, 6,000
hands; one H100) had not converged: validation AUC .43, under the seen kinds .36, the baseline .46
and .26 (results/comparison_curves.csv). Give it many more steps.
"""

from keras_shr.training import Config

config = Config(
    data="rendered:20000?seed=1",
    validation="rendered:500?seed=1&split=val",
    image_size=128,
    model={"alpha": 0.5, "heatmap_stride": 2, "filters": (128, 64, 64, 64)},
    batch_size=64,
    epochs=200,
)
