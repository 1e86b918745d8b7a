"""Train a model; the same command again goes on where it stopped.

keras-shr fit --data my_images --output runs/mine
keras-shr fit train/configs/hand.py --output runs/hand --set epochs=20 batch_size=8
keras-shr fit train/configs/hand.py --output /shared/runs/hand --strategy multiworker

On a terminal a bar shows each step; elsewhere, as in a cluster's log, there is a line an epoch.
"""

import sys
from pathlib import Path


def add_arguments(parser):
    parser.add_argument("config", nargs="?", help="Python file that defines `config`")
    parser.add_argument("--output", required=True, help="folder of the run")
    parser.add_argument(
        "--data",
        nargs="+",
        help="data set: a folder, a prepared folder or KIND:PLACE?options; several are joined",
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="settings"
    )
    parser.add_argument("--workers", type=int, default=0, help="loading processes, 0 for all cores")
    parser.add_argument(
        "--strategy",
        default="auto",
        metavar="{auto,none,mirrored,multiworker}",
        help="devices that share a batch: auto takes all GPUs, and all machines of TF_CONFIG",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs too")


def run(arguments):
    from keras_shr.training import Config, load_config, train

    config = load_config(arguments.config) if arguments.config else Config()
    config = config.override(arguments.set)
    if arguments.data:
        data = arguments.data if len(arguments.data) > 1 else arguments.data[0]
        config = config.override([f"data={data!r}"])
    train(
        config,
        arguments.output,
        arguments.workers,
        verbose="auto" if sys.stdout.isatty() else 2,
        tensorboard=arguments.tensorboard,
        strategy=arguments.strategy,
    )
    written = ("best.keras", "model.keras", "history.csv", "pictures")
    there = [name for name in written if (Path(arguments.output) / name).exists()]
    print(f"{arguments.output}: {', '.join(there)}")
