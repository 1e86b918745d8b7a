"""Trains a model as a `Config` says; the same call goes on where a killed run stopped."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import keras

from keras_shr.callbacks import BackupAndResume, RobustnessProbe, run_callbacks
from keras_shr.data import (
    MEMORY_BYTES,
    PartReader,
    PreparedReader,
    load_arrays,
    named_data_errors,
    tfrecord_dataset,
)
from keras_shr.errors import KerasShrError, first_line, shown
from keras_shr.files import (
    check_writable,
    read_json,
    remove_leftovers,
    replacing,
    write_text,
)
from keras_shr.methods import build_method
from keras_shr.models import StableHeatmapRegressor, default_optimizer
from keras_shr.models.pretrained import load_trained, transfer_weights
from keras_shr.skeletons import knows_sides
from keras_shr.training._labels import check_labels
from keras_shr.training.batches import Batches, FollowEpochs, check_batch_size
from keras_shr.training.config import Config
from keras_shr.training.devices import find_devices
from keras_shr.training.holding_out import hold_out, hold_out_shards
from keras_shr.training.parts import open_parts

_ARRAY_BYTES = 8e9
_STREAM_BYTES = MEMORY_BYTES
"""Prepared data above this are streamed under TensorFlow; below it memory is simpler and faster."""

_NETWORK = ("backbone", "alpha", "heatmap_stride", "filters", "skip_connections")

_NOT_MIRRORED = (
    "which keypoints are left and right is not known, so pictures are not mirrored: there is no "
    "skeleton.json (COCO: skeleton=FILE), names differ in numbers alone, or flip_pairs lack a name "
    "with left or right in it"
)


def train(
    config,
    output,
    workers=0,
    verbose="auto",
    tensorboard=False,
    callbacks=(),
    strategy="auto",
) -> keras.Model:
    """Trains a `StableHeatmapRegressor`.

    The folder then holds `config.json`, `history.csv`, `pictures/`, `best.keras` (best validation
    AUC under the seen perturbations) and `model.keras` (the last epoch, without optimizer state).

    Args:
        config: `Config`.
        output: the run's folder. One that holds a run of the same configuration is gone on with
            (more `epochs` may be given); another configuration is refused, unless not one epoch
            was finished.
        workers: processes that load or render data, 0 for all cores.
        verbose: as for `keras.Model.fit`.
        tensorboard: also write TensorBoard scalars.
        callbacks: more of them, called after an epoch has been backed up.
        strategy: which devices share a batch, see `keras_shr.training.find_devices`. Several
            machines run the same call on the same `output`, a folder that all of them see; the
            first one writes it.

    Returns:
        The trained model.

    Raises:
        KerasShrError: a setting, file or record that has to be changed.
    """
    devices = find_devices(strategy)
    devices.check_batch_size(config.batch_size)
    output = Path(output)
    check_writable(output)
    reader, validation_reader = open_parts(config)
    settings = _check_folder(output, config, _records(reader, validation_reader))
    config = with_architecture_of_init(config)
    keras.utils.set_random_seed(config.seed)
    if devices.chief and _lacks_sides(config, reader.skeleton):
        print(_NOT_MIRRORED, file=sys.stderr)
    with devices.building():  # before pictures are read: a wrong setting should say so at once
        model = build_model(config, reader.skeleton)
    stream_of = None
    if isinstance(reader, PreparedReader) and keras.config.backend() == "tensorflow":
        stream_of = reader if _bytes(reader) > _STREAM_BYTES else None
    if devices.chief and validation_reader is None:
        print(
            f"no part {config.validation_split!r} to validate on: {config.validation_share:.0%} of "
            "the training images are held out",
            file=sys.stderr,
        )
    training, validation = _load(config, reader, validation_reader, stream_of is not None, workers)
    if stream_of is None:  # else they are read when they are due
        check_labels(training, model.min_visibility, "learn from", devices.chief)
    check_labels(validation, 1, "validate on", devices.chief)
    if devices.chief:
        for name in ("config.json", "model.keras"):
            remove_leftovers(output, name)
        write_text(output / "config.json", settings)
    first_epoch = BackupAndResume.finished_epochs(output / "backup")
    own = run_callbacks(
        output,
        RobustnessProbe(validation, limit=None),
        config.validate_every,
        pictures=validation.take(range(min(4, len(validation)))),
        tensorboard=tensorboard,
        writes=devices.chief,
    )
    # The backup last: what the others do about an epoch is done before it counts as finished.
    common: dict[str, Any] = {
        "epochs": config.epochs,
        "callbacks": [*own[:-1], *callbacks, own[-1]],
    }
    common["verbose"] = verbose
    # Both kinds of data have an order of their own. Keras would shuffle the batches once more, with
    # a generator whose state an interrupted run takes with it.
    common["shuffle"] = False
    if stream_of is not None:
        root = stream_of.root
        used = sum(shard.records for shard in stream_of.manifest.shards[:training])
        check_batch_size(config.batch_size, used, reader.name)
        steps = config.steps_per_epoch or used // config.batch_size
        _check_updates(steps, config)

        def stream(replicas, shard_index, shard_count):
            return tfrecord_dataset(
                root,
                config.batch_size // replicas,
                shuffle=True,
                seed=config.seed,
                repeat=True,
                shard_index=shard_index,
                shard_count=shard_count,
                drop_remainder=True,
                shards=training,
                first_record=first_epoch * steps * config.batch_size // shard_count,
            )

        with devices.training(), named_data_errors(root):
            model.fit(devices.stream(stream), steps_per_epoch=steps, **common)
    else:
        steps = config.steps_per_epoch
        batches = Batches(training, config.batch_size, config.seed, steps, first_epoch)
        _check_updates(batches.num_batches, config)
        data, steps = devices.feed(batches)
        common["callbacks"].insert(0, FollowEpochs(batches))
        with devices.training():
            model.fit(data, steps_per_epoch=steps, **common)
    if devices.chief:
        _save_for_inference(model, config, output / "model.keras")
    return model


def _lacks_sides(config, skeleton):
    """Whether pictures would be mirrored, if it were known what changes places then."""
    augmentation = config.model.get("augmentation", {})
    return not knows_sides(skeleton) and augmentation is not None and "flip" not in augmentation


def _check_updates(steps, config):
    """Refuses a run that would end before its first update."""
    if steps * config.epochs < config.accumulate:
        raise KerasShrError(
            f"accumulate is {config.accumulate}, but the whole run has {steps * config.epochs} "
            "steps: no weight would change; give a smaller accumulate or batch_size"
        )


def build_model(config, skeleton):
    """The compiled model of a `Config`."""
    try:
        model = _uncompiled(config, skeleton)
    except KerasShrError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise KerasShrError(
            f"image_size={config.image_size} model={shown(config.model)}: no model can be built "
            f"with these settings ({first_line(error)})"
        ) from error
    if config.init:
        _start_from(model, config.init)
    model.compile(default_optimizer(config.learning_rate, config.accumulate))
    return model


def _uncompiled(config, skeleton):
    options = {"seed": config.seed} | config.model
    model = StableHeatmapRegressor(
        len(skeleton), image_size=config.image_size, skeleton=skeleton, **options
    )
    if config.method is None:
        return model
    return build_method(
        config.method,
        model.network,
        skeleton=skeleton,
        augmentation=model.augmentation,
        seed=model.seed,
    )


def with_architecture_of_init(config) -> Config:
    """`config` with the network of its `init`, where it says nothing of a network itself."""
    if not config.init or set(_NETWORK) & config.model.keys():
        return config
    network = _network_of(_load_init(config.init))
    if not isinstance(network.get("backbone"), str):  # a network of the user's own
        return config
    return dataclasses.replace(config, model=config.model | network)


def _network_of(model):
    config = model.get_config()
    return {name: config[name] for name in _NETWORK if name in config}


def _load_init(path):
    try:
        return load_trained(path)
    except KerasShrError as error:
        raise KerasShrError(f"init={path}: {error}") from error


def _records(*readers):
    """What tells one choice of records from another, as JSON values."""
    known = (reader.describe() for reader in readers if reader is not None)
    return [[each["count"], each["ids_sha256"]] for each in known]


def _save_for_inference(model, config, path):
    """Saves a `.keras` file without optimizer state and in float32, for any machine.

    A third of the size; half precision would be emulated on a CPU, many times slower. The file
    appears under its name only when it is complete.
    """
    config = dataclasses.replace(config, model=config.model | {"dtype": "float32"})
    plain = _uncompiled(config, model.skeleton)
    plain.set_weights(model.get_weights())
    with replacing(path) as temporary:
        plain.save(temporary)


def _start_from(model, path):
    source = _load_init(path)
    try:
        transfer_weights(source, model)
    except KerasShrError as error:
        ours, other = _network_of(model), _network_of(source)
        other = [f"model.{k}={shown(v)}" for k, v in other.items() if v != ours.get(k)]
        which = f"; it has {', '.join(other)}" if other else ""
        raise KerasShrError(f"init={path}: {error}{which}") from error


def _check_folder(output, config, records):
    """The configuration and `_records` as JSON; refuses a folder that holds a run of others.

    A run that failed before its first epoch was backed up has nothing to lose.
    """
    path, mine = output / "config.json", json.loads(json.dumps(dataclasses.asdict(config)))
    found = read_json(path)
    if not isinstance(found, dict | None):
        raise KerasShrError(f"{path}: holds no settings; remove it, or give another --output")
    theirs = dataclasses.asdict(Config()) | (found or mine)  # older runs lack the newest
    differing = [k for k in mine if mine[k] != theirs.get(k) and k != "epochs"]
    begun = (output / "model.keras").exists() or bool(
        BackupAndResume.finished_epochs(output / "backup")
    )
    if differing and begun:
        name = differing[0]
        raise KerasShrError(
            f"{output}: holds a run with {name}={theirs.get(name)!r}, not {mine[name]!r}; give "
            "another --output"
        )
    before = (found or {}).get("records", records)  # older runs lack them
    if before != records and begun:
        counts = (" and ".join(str(part[0]) for part in each) for each in (before, records))
        raise KerasShrError(
            f"{output}: holds a run on other records ({next(counts)} of them, now {next(counts)}): "
            "what is held out for validation would be drawn anew, some of it from what has been "
            "trained on; give another --output"
        )
    return json.dumps(mine | {"records": records}, indent=1)


def _load(config, reader, validation, streamed, workers):
    """Training data and validation data in memory; for streamed data the number of shards to
    train on (None for all) in place of the former.

    Args:
        config: `Config`.
        reader, validation: from `open_parts`.
        streamed: whether training data stay on the disk.
        workers: of `load_arrays`.
    """
    if validation is not None:
        validation = load_arrays(PartReader.at_most(validation, config.validation_limit), workers)
    if streamed:
        if validation is not None:
            return None, validation
        return hold_out_shards(reader, config, workers)
    needed = _bytes(reader)
    if needed > _ARRAY_BYTES:
        raise KerasShrError(
            f"{reader.name}: {len(reader)} images of {reader.size} px need {needed / 1e9:.0f} GB "
            "of memory; run `keras-shr prepare` and train on the prepared folder (TensorFlow)"
        )
    training = load_arrays(reader, workers)
    if validation is None:
        training, validation = hold_out(training, config)
    return training, validation


def _bytes(reader):
    return len(reader) * reader.size**2 * 3
