"""Shows every model the clean and the perturbed pictures and stores what it answers."""

import itertools

import numpy as np

from keras_shr._compile import without_retracing_warnings
from keras_shr.data.images import resize_images
from keras_shr.errors import KerasShrError
from keras_shr.evaluation.kept_pictures import KeptPictures
from keras_shr.evaluation.native_perturber import NativePerturber
from keras_shr.evaluation.perturber import Perturber
from keras_shr.evaluation.progress import Progress
from keras_shr.evaluation.protocol import (
    check_aspect,
    condition_seed,
    data_fingerprint,
    model_fingerprint,
)
from keras_shr.evaluation.store import CHUNK, Store, folder_names

BLOCK = 8
"""Images that a worker perturbs at a time: small enough to share a chunk's slow kinds out."""


def open_stores(
    models, data, protocol, folder, resume=True, overwrite=False, part=None
) -> dict[str, Store]:
    """A `Store` for each model under `folder`, checked against what it already holds."""
    check_aspect(f"{data.name}: the images are", data.images.shape[1:3], protocol.size)
    if not len(data):
        raise KerasShrError(f"{data.name}: there is no image to evaluate on")
    fingerprint = data_fingerprint(data)
    return {
        name: Store(
            folder / directory,
            name,
            {
                "model": model_fingerprint(models[name]),
                "data": fingerprint,
                "images": len(data),
                "protocol": protocol.to_dict(),
            },
            resume,
            overwrite,
            part,
        )
        for name, directory in folder_names(models).items()
    }


def tasks(images, ids, protocol):
    """The blocks to perturb, as `Perturber.stream` takes them: by condition, then block."""
    for kind, level in protocol.conditions:
        for first in range(0, len(images), BLOCK):
            block = slice(first, first + BLOCK)
            seeds = [condition_seed(protocol.seed, i, kind, level) for i in ids[block]]
            yield kind, level, images[block], seeds


def joined_blocks(blocks, count):
    """The next `count` pictures of a stream of blocks."""
    return np.concatenate([next(blocks) for _ in range(0, count, BLOCK)])


def _chunk(data, protocol, start):
    images = resize_images(data.images[start : start + CHUNK], protocol.size)
    return images, data.ids[start : start + CHUNK]


def _chunk_tasks(data, protocol, start):
    images, ids = _chunk(data, protocol, start)
    return tasks(images, ids, protocol)


def run(predictors, stores, data, protocol, workers=None, progress=True, kept=None):
    """Predict every chunk that a store misses.

    Each perturbed picture is made once and shown to all models that still need it; a chunk is
    written when all its conditions are done.

    Args:
        predictors: name → `Predictor`.
        stores: name → `Store`, from `open_stores`.
        data: `KeypointData`.
        protocol: `Protocol`.
        workers: perturbation processes; None takes every core, 0 works in this process.
        progress: see `Progress`.
        kept: a folder where perturbed pictures are kept for other evaluations, or None.
    """
    missing = {name: set(store.missing()) for name, store in stores.items()}
    chunks = sorted(set().union(*missing.values()))
    if not chunks:
        return
    conditions = len(protocol.conditions)
    left = sum(min(CHUNK, len(data) - start) for start in chunks)
    meter = Progress(len(data) * conditions, progress, done=(len(data) - left) * conditions)
    with make_perturber(protocol, workers, kept) as perturber, without_retracing_warnings():
        every = (_chunk_tasks(data, protocol, start) for start in chunks)
        blocks = perturber.stream(itertools.chain.from_iterable(every))
        for start in chunks:
            images, _ = _chunk(data, protocol, start)
            wanted = {n: p for n, p in predictors.items() if start in missing[n]}
            answers = {name: p.clean(images) for name, p in wanted.items()}
            maps = {name: answer.pop("maps") for name, answer in answers.items()}
            if start == chunks[0]:
                _check_keypoints(maps, data)
            found: dict = {name: [] for name in wanted}
            for kind, level in protocol.conditions:
                pictures = joined_blocks(blocks, len(images))
                for name, predictor in wanted.items():
                    found[name].append(predictor.perturbed(pictures, maps[name]))
                meter.advance(len(images), f"{kind} {level}")
            for name in wanted:
                stores[name].write(start, answers[name] | _joined(found[name]))


def keep_pictures(data, protocol, folder, workers=None, progress=True):
    """Makes the pictures that `run(..., kept=folder)` would read, as far as they are missing."""
    images = resize_images(data.images, protocol.size)
    with make_perturber(protocol, workers, folder) as perturber:
        missing = [t for t in tasks(images, data.ids, protocol) if perturber.lacks(t)]
        meter = Progress(sum(len(block) for _, _, block, _ in missing), progress)
        for block in perturber.stream(missing):
            meter.advance(len(block), "perturbing")


def make_perturber(protocol, workers=None, kept=None):
    """What perturbs the pictures of an evaluation, by the protocol's implementation."""
    native = protocol.implementation == "native"
    perturber = NativePerturber() if native else Perturber(workers)
    return perturber if kept is None else KeptPictures(perturber, kept)


def _joined(found):
    """Per-condition answers as arrays whose first axis is the condition."""
    return {
        key if key == "theorem3" else f"perturbed_{key}": np.stack([f[key] for f in found])
        for key in found[0]
    }


def _check_keypoints(maps, data):
    for name, array in maps.items():
        if array.shape[-1] != len(data.skeleton):
            raise KerasShrError(
                f"model {name!r} answers {array.shape[-1]} keypoints, but {data.name} "
                f"({data.skeleton.name}) has {len(data.skeleton)}"
            )
