"""Write a data set as TFRecord shards with a manifest.

    keras-shr prepare rhd RHD_published_v2 prepared/rhd --split training
    keras-shr prepare rendered 8000 prepared/rendered --option seed=1

Parallel and atomic; the same command again keeps what is finished. `fit` and `evaluate` take the
folder as it is.
"""

import sys
from pathlib import Path
from urllib.parse import quote, urlencode

from keras_shr.errors import KerasShrError


def add_arguments(parser):
    from keras_shr.data import READERS

    kinds = sorted(set(READERS) - {"prepared"})
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("root", help="where the data lie; for rendered, how many hands")
    parser.add_argument("output", help="folder to write")
    parser.add_argument("--split", help="part of the data set")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels")
    parser.add_argument("--shards", type=int, help="number of files")
    parser.add_argument("--workers", type=int, default=0, help="processes, 0 for all cores")
    parser.add_argument("--format", default="jpeg", choices=("jpeg", "png"))
    parser.add_argument(
        "--option",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="reader options, such as images_root=val2017 or padding=1.2",
    )


def run(arguments):
    from keras_shr.cli._options import open_part
    from keras_shr.data import prepare

    for option in arguments.option:
        if "=" not in option:
            raise KerasShrError(f"--option {option!r}: write NAME=VALUE")
        name, _, value = option.partition("=")
        if name in ("size", "split"):
            raise KerasShrError(f"--option {option}: give it as --{name} {value}")
    # A path may have what means something in a specification: "+", "&", "%".
    options = [option.partition("=") for option in arguments.option]
    query = urlencode({name: value for name, _, value in options}, safe="/\\:,", quote_via=quote)
    query = query and f"?{query}"
    reader = open_part(f"{arguments.kind}:{arguments.root}{query}", arguments.split, arguments.size)
    if arguments.split is None and len(reader.splits) > 1:
        raise KerasShrError(
            f"{arguments.root}: has the parts {', '.join(reader.splits)}, which would be mixed; "
            f"prepare each by itself, such as --split {reader.splits[0]} into "
            f"{Path(arguments.output) / reader.splits[0]}"
        )
    manifest = prepare(
        reader,
        arguments.output,
        shards=arguments.shards,
        workers=arguments.workers,
        progress=_progress,
        image_format=arguments.format,
        source=f"{arguments.kind} {arguments.root}",
    )
    print(f"{arguments.output}: {manifest.count} records in {len(manifest.shards)} shards")


def _progress(done, total):
    terminal = sys.stderr.isatty()
    start, end = "\r" if terminal else "", "\n" if done == total or not terminal else ""
    print(f"{start}{done}/{total} records", end=end, file=sys.stderr, flush=True)
