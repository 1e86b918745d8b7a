"""Training images held out for validation, where a data set has no part for it."""

from collections import Counter

import numpy as np

from keras_shr.data import KeypointData, PartReader, load_arrays
from keras_shr.data.records import own_groups, spread
from keras_shr.errors import KerasShrError


def hold_out(data, config):
    """Splits `data` into training and validation, whole groups where there are several.

    Beside groups, a record without one is a group of its own. Training takes the memory of `data`,
    which must not be used any more: a copy might not fit.
    """
    rng = np.random.default_rng(config.seed)
    groups = own_groups(data.groups) if any(data.groups) else data.groups
    names = sorted(set(groups))
    wanted = max(1, round(config.validation_share * len(data)))
    if len(names) > 1:
        chosen, count, sizes = set(), 0, Counter(groups)
        for name in rng.permutation(names):
            if count >= wanted:
                break
            if 2 * (count + sizes[name]) <= len(data):  # the larger part is for training
                chosen.add(name)
                count += sizes[name]
        held = np.array([g in chosen for g in groups])
    else:
        held = np.zeros(len(data), bool)
        held[rng.permutation(len(data))[:wanted]] = True
    if held.all():
        raise KerasShrError(f"{data.name}: {len(data)} images are too few to hold some out")
    held_out = np.flatnonzero(held)
    validation = data.take(held_out[spread(len(held_out), config.validation_limit)])
    chosen = np.flatnonzero(~held)
    for start in range(0, len(chosen), 256):  # each moves to the front, or stays
        block = chosen[start : start + 256]
        data.images[start : start + len(block)] = data.images[block]
    labels = data.keypoints[chosen]
    ids, groups = ([values[i] for i in chosen] for values in (data.ids, data.groups))
    images = data.images[: len(chosen)]
    return KeypointData(images, labels, data.skeleton, ids, groups, data.name), validation


def hold_out_shards(reader, config, workers):
    """How many shards to train on, and records of the others for validation.

    The last shards are held out, until they have enough records of groups that none of the others
    has. What is left of a group that is trained on is in neither part.
    """
    groups = reader.groups()
    grouped = len(set(groups)) > 1
    names = own_groups(groups) if grouped else range(len(reader))
    begins: dict = {}  # group → its first record
    first_ones = np.array([begins.setdefault(name, i) for i, name in enumerate(names)])
    wanted = max(1, round(config.validation_share * len(reader)))
    kept, used, held = list(reader.manifest.shards), len(reader), np.array([], int)
    while kept and len(held) < wanted:
        used -= kept.pop().records
        held = np.flatnonzero(first_ones >= used)
    if grouped and 2 * used < len(reader):  # the larger part is for training
        raise KerasShrError(
            f"{reader.root}: the last of its {len(reader.manifest.shards)} shards have too few "
            "whole groups (persons, sequences) to hold out; prepare a part to validate on, or "
            "prepare it again with the records in the order of their groups and more --shards"
        )
    if not kept:
        raise KerasShrError(
            f"{reader.root}: {len(reader.manifest.shards)} shards are too few to hold one out; "
            "set validation=..., or prepare it again with more --shards"
        )
    part = PartReader.at_most(PartReader(reader, held), config.validation_limit)
    return len(kept), load_arrays(part, workers)
