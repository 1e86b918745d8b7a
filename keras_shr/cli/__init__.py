"""The `keras-shr` command."""

import argparse
import os
import sys

from keras_shr import __version__
from keras_shr.errors import KerasShrError
from keras_shr.memory import keep_freed_memory

_GOING_ON = ("fit", "evaluate", "prepare", "reproduce", "demo")


def main(arguments=None):
    """Runs `keras-shr`; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # What a command needs beside the package loads when it is chosen. The package itself, and Keras
    # with it, is loaded by now: importing it has to register the classes of saved models.
    from keras_shr.cli import (
        app,
        compare_export,
        demo,
        evaluate,
        export,
        fit,
        jitter,
        predict,
        prepare,
        report,
        reproduce,
        selftest,
    )

    parser = argparse.ArgumentParser(
        prog="keras-shr", description="Keypoint models that stay put under perturbation."
    )
    parser.add_argument("--version", action="version", version=f"keras_shr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (
        fit,
        evaluate,
        predict,
        jitter,
        prepare,
        reproduce,
        report,
        export,
        compare_export,
        app,
        demo,
        selftest,
    ):
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    parsed.given = sys.argv[1:] if arguments is None else list(arguments)
    keep_freed_memory()
    try:
        return parsed.run(parsed) or 0
    except KerasShrError as error:
        text, status = str(error), 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        text, status = f"{place}{error.strerror or error}", 1
    except KeyboardInterrupt:
        goes_on = "; the same command goes on" if parsed.command in _GOING_ON else ""
        text, status = f"interrupted{goes_on}", 130
    clear = "\r\033[K" if sys.stderr.isatty() else ""  # of a line of progress
    print(f"{clear}keras-shr {parsed.command}: {text}", file=sys.stderr)
    return status
