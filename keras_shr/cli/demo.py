"""Train a small model and its baseline on rendered hands and compare them, in minutes.

    keras-shr demo --output demo_output

Both see the same number of images in the same number of steps: open hands with palm or back to the
camera and fingers up. Minutes of training make poor networks; the comparison shows at equal
accuracy which one's keypoints stay put.
"""

import time

SIZE = 64
NETWORK = {
    "backbone": "small_cnn",
    "heatmap_stride": 2,
    "filters": (64, 48, 32),
    # The rendered hands differ enough; turned ones would take more steps to learn.
    "augmentation": None,
}
RATE = 3e-3
BASELINE = {"target": "gaussian", "rcc": None, "stability": None, "perturbations": None}


def add_arguments(parser):
    parser.add_argument("--output", default="demo_output")
    parser.add_argument("--images", type=int, default=3000, help="rendered training images")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of each model")
    parser.add_argument("--test-images", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)


def run(arguments):
    from pathlib import Path

    from keras_shr.cli._options import check_counts
    from keras_shr.data import load_arrays, open_data
    from keras_shr.evaluation import compare, evaluate
    from keras_shr.training import Config, train

    check_counts(arguments, "images", "steps", "test_images")
    started = time.time()
    output = Path(arguments.output)

    def hands(count):
        return f"rendered:{count}?seed={arguments.seed}&views=front&poses=open"

    pairs, epochs = 16, 6
    common = Config(
        data=hands(arguments.images),
        validation=hands(64) + "&split=val",
        image_size=SIZE,
        epochs=epochs,
        steps_per_epoch=-(-arguments.steps // epochs),
        learning_rate=RATE,
        validate_every=epochs,
        seed=arguments.seed,
    )
    runs = {
        # The stable model sees each image twice, so the baseline gets twice as many.
        "baseline": common.override([f"batch_size={2 * pairs}", f"model={NETWORK | BASELINE!r}"]),
        "stable": common.override([f"batch_size={pairs}", f"model={NETWORK!r}"]),
    }
    models = {}
    for name, config in runs.items():
        print(f"\n{name}: {arguments.steps} steps on {arguments.images} rendered hands")
        models[name] = train(config, output / name, verbose=2)
    test = load_arrays(open_data(hands(arguments.test_images), "test", SIZE), 0)
    report = evaluate(
        models,
        test,
        output / "report",
        notes="Rendered hands with exact labels; both networks were trained for minutes only.",
    )
    print()
    assert report is not None  # as no part was asked for
    compare(report.summary)
    print(f"\nPage: {report.page}")
    print(f"Picture: {report.shared_examples['typical']}")
    print(f"{time.time() - started:.0f} s")
