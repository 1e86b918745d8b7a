"""Train and evaluate what the paper's tables and figures compare; the same command goes on.

keras-shr reproduce sota ablation --size cpu --output runs/cpu
keras-shr reproduce architectures --size gpu --output runs/gpu --time-limit 540
keras-shr reproduce all --data rhd=prepared/rhd stb=prepared/stb --size paper --output runs/paper

`keras-shr report OUTPUT` makes tables, figures and a page of it. Several processes may work in one
folder. The exit status is 0 when all cells are done and 3 when some are left.
"""

import os
import shlex
import sys
import threading

from keras_shr._started import since_start

LEFT = 3


def add_arguments(parser):
    parser.add_argument(
        "suites",
        nargs="+",
        help="table1-table3, fig6-fig10, ablation, sota, architectures, all, or single methods "
        "(baseline, supervised, ours, ...)",
    )
    parser.add_argument("--output", required=True, help="folder of the run")
    parser.add_argument(
        "--data",
        nargs="+",
        default=["rendered"],
        metavar="NAME=DATA",
        help="rendered (made on the spot), or data sets with train and test parts",
    )
    parser.add_argument("--size", default="cpu", help="cpu, gpu or paper")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="change the size, as in steps=4000",
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many, counted from 0")
    parser.add_argument(
        "--video", metavar="DATA", help="consecutive labelled frames, to measure jitter on too"
    )
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop before this")
    parser.add_argument("--workers", type=int, default=0, help="processes, 0 for all cores")


def run(arguments):
    limit = arguments.time_limit
    if limit is not None and limit > 0:
        limit = max(1e-3, limit - since_start())  # loading Keras is part of the time
        _end_at(limit)
    from keras_shr._compile import keep_compiled
    from keras_shr.reproduction import find_size, reproduce

    # The step of a method is compiled once for all seeds and all calls.
    keep_compiled(f"{arguments.output}/compiled")
    left = reproduce(
        arguments.suites,
        arguments.output,
        arguments.data,
        find_size(arguments.size, arguments.set),
        arguments.seeds,
        arguments.video,
        limit,
        arguments.workers,
        command=shlex.join(["keras-shr", *arguments.given]),
    )
    if left:
        print(f"{arguments.output}: {len(left)} cells left; the same command goes on")
        return LEFT
    print(f"{arguments.output}: all cells done; see them by `keras-shr report {arguments.output}`")
    return 0


def _end_at(seconds):
    """Ends this process when it is caught in a compilation, which cannot be interrupted.

    Nothing is lost: whatever is on disk was complete when it got its name.
    """

    def end():
        print("the time limit was reached; the same command goes on", file=sys.stderr, flush=True)
        os._exit(LEFT)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
