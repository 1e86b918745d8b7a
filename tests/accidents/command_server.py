"""Starts commands without their seconds of imports, for tests that start and kill many.

A process that has loaded the package, and has computed nothing yet, forks one for each line it
reads: JSON with `arguments` and `log`. It answers with the number of the new process and, when that
has ended, with its wait status. The network is a tiny one under MobileNetV2's name and the videos
are short; all else is the command as it is.
"""

import json
import os
import sys


def small_network(image_size, weights=None, alpha=1.0):
    """Two levels of features, with all that a resumed run has to restore: moving statistics too."""
    import keras

    from keras_shr.models.backbones._common import images_input

    del weights, alpha
    inputs = images_input(image_size)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    fine = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(x)
    coarse = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(fine)
    coarse = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization(momentum=0.9)(coarse))
    return keras.Model(inputs, [fine, coarse], name="small")


def serve():
    """Until standard input ends."""
    from keras_shr import cli, evaluation, export, reproduction, training  # noqa: F401
    from keras_shr.models.backbones import BACKBONES
    from keras_shr.reproduction.measures import motion

    BACKBONES["mobilenet_v2"] = small_network
    motion.SEQUENCES, motion.FRAMES = 1, 20
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            answers.close()
            _become(task["arguments"], task["log"])
        print(child, file=answers, flush=True)
        print(os.waitpid(child, 0)[1], file=answers, flush=True)


def _become(arguments, log):
    from keras_shr.cli import main

    status = 70
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(file, number)
        sys.stdin.close()
        sys.argv = ["keras-shr", *arguments]
        status = main(arguments)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
