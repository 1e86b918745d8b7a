"""Which devices and machines a run uses, and which part of it this process does."""

import contextlib
import json
import os
import re

import keras

from keras_shr.errors import KerasShrError, first_line, shown

STRATEGIES = ("auto", "none", "mirrored", "multiworker")
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


def find_devices(choice="auto") -> "OneDevice":
    """The devices of a run.

    Call it before anything has been computed: TensorFlow connects its machines only at the start.

    Args:
        choice: `"none"`: one device. `"mirrored"`: all devices of this machine, GPUs if there are
            any (TensorFlow's MirroredStrategy; under JAX `keras.distribution.DataParallel`).
            `"multiworker"`: all devices of the machines that `TF_CONFIG` names, one process each
            (MultiWorkerMirroredStrategy; under JAX `jax.distributed`). `"auto"`: multiworker where
            `TF_CONFIG` names several machines, mirrored where there are several accelerators, else
            none.

    Returns:
        `OneDevice`, `Replicas`, `DataParallel` or `Processes`.

    Raises:
        KerasShrError: for another word, or where the devices for it are missing.
    """
    if choice not in STRATEGIES:
        raise KerasShrError(f"strategy is {choice!r}; expected one of {', '.join(STRATEGIES)}")
    backend = keras.config.backend()
    if choice == "multiworker" or (choice == "auto" and len(_workers()) > 1):
        return _multiworker(backend)
    if choice == "none" or backend not in ("tensorflow", "jax"):
        if choice == "mirrored":
            raise KerasShrError(
                f"strategy mirrored runs on TensorFlow and JAX; KERAS_BACKEND is {backend}"
            )
        return OneDevice()
    devices = _devices(backend, ("GPU",) if choice == "auto" else ("GPU", "CPU"))
    if len(devices) < 2:
        return OneDevice()
    if backend == "jax":
        return DataParallel(devices)
    import tensorflow as tf

    return Replicas(tf.distribute.MirroredStrategy(devices))


class OneDevice:
    """Training as Keras does it by itself.

    Attributes:
        count: devices that share a batch, on all machines.
        chief: whether this process writes the run's files.
    """

    count, chief = 1, True

    def building(self):
        """A context in which the model is made."""
        return contextlib.nullcontext()

    def training(self):
        """A context for `fit`."""
        return contextlib.nullcontext()

    def feed(self, batches):
        """`Batches` as `fit` takes them here, and its `steps_per_epoch`."""
        return batches, None

    def stream(self, make):
        """A data set of TensorFlow as `fit` takes it here.

        Args:
            make: `make(batch_share, shard_index, shard_count)`, with the share of the global batch
                that an element has, gives the data set of one machine.
        """
        return make(1, 0, 1)

    def check_batch_size(self, size):
        """Refuses a batch that the devices cannot share evenly."""
        if size % self.count:
            raise KerasShrError(
                f"batch_size is {size}; expected a multiple of the {self.count} devices"
            )


class DataParallel(OneDevice):
    """JAX: one program with the whole batch, whose rows lie on several devices."""

    def __init__(self, devices):
        self.count = len(devices)
        self._distribution = keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )

    def building(self):
        return self._distribution.scope()

    def training(self):
        return self._distribution.scope()


class Processes(DataParallel):
    """JAX: the same on several machines, each of which brings its rows of the batch."""

    def __init__(self, hosts, index):
        # Connects the machines, so it comes before anything that looks at the devices.
        keras.distribution.initialize(",".join(hosts), len(hosts), index)
        super().__init__(keras.distribution.list_devices())
        self.chief = index == 0
        self._share = index, len(hosts)

    @contextlib.contextmanager
    def training(self):
        from jax.errors import JaxRuntimeError

        try:
            with super().training():
                yield
        except JaxRuntimeError as e:
            if not _lost_worker(str(e)):
                raise
            raise _worker_is_gone(first_line(e)) from e

    def feed(self, batches):
        index, hosts = self._share
        size = batches.batch_size // hosts

        def generate():
            number = batches.first_step
            while True:
                yield batches.rows(number, index * size, (index + 1) * size)
                number += 1

        return generate(), batches.num_batches


class Replicas(OneDevice):
    """TensorFlow: a copy of the program on each device, with its part of the batch."""

    def __init__(self, strategy, chief=True):
        self.count, self.chief = strategy.num_replicas_in_sync, chief
        self._strategy = strategy

    def building(self):
        return self._strategy.scope()

    @contextlib.contextmanager
    def training(self):
        import tensorflow as tf

        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as e:
            if not _lost_worker(str(e)):
                raise
            raise _worker_is_gone(_cause(str(e))) from e

    def feed(self, batches):
        import tensorflow as tf

        def rows_of(context):
            replicas = context.num_replicas_in_sync // context.num_input_pipelines
            size = batches.batch_size // context.num_replicas_in_sync
            first = context.input_pipeline_id * replicas
            step = batches.first_step

            def generate():
                number = step
                while True:
                    for replica in range(first, first + replicas):
                        yield batches.rows(number, replica * size, (replica + 1) * size)
                    number += 1

            example = batches.rows(step, 0, 1)
            signature = tuple(tf.TensorSpec((size, *x.shape[1:]), x.dtype) for x in example)
            return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)

        return self._strategy.distribute_datasets_from_function(rows_of), batches.num_batches

    def stream(self, make):
        return self._strategy.distribute_datasets_from_function(
            lambda context: make(
                context.num_replicas_in_sync,
                context.input_pipeline_id,
                context.num_input_pipelines,
            )
        )


def _multiworker(backend):
    if backend not in ("tensorflow", "jax"):
        raise KerasShrError(
            f"strategy multiworker runs on TensorFlow and JAX; KERAS_BACKEND is {backend} and "
            f"TF_CONFIG names {len(_workers())} workers"
        )
    if not _workers():
        raise KerasShrError(
            f"strategy multiworker needs TF_CONFIG in the environment, such as {_EXAMPLE}"
        )
    place = _place()
    if backend == "jax":
        return Processes(_workers(), place)
    import tensorflow as tf

    return Replicas(tf.distribute.MultiWorkerMirroredStrategy(), chief=place == 0)


def _worker_is_gone(cause):
    return KerasShrError(
        "another worker is gone; start this command again on every worker, and the run goes on "
        f"after the last finished epoch ({cause})"
    )


def _configuration():
    """`cluster` and `task` of TF_CONFIG: name → list of addresses, and which of them this is."""
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KerasShrError(
            f"TF_CONFIG is not JSON ({first_line(error)}); expected {_EXAMPLE}"
        ) from None
    if not isinstance(found, dict):
        raise KerasShrError(f"TF_CONFIG is {shown(found)}; expected {_EXAMPLE}")
    cluster, task = found.get("cluster", {}), found.get("task", {})
    if not _is_cluster(cluster):
        raise KerasShrError(f"TF_CONFIG: cluster is {shown(cluster)}; expected {_EXAMPLE}")
    if not isinstance(task, dict):
        raise KerasShrError(f"TF_CONFIG: task is {shown(task)}; expected {_EXAMPLE}")
    return cluster, task


def _is_cluster(value):
    return isinstance(value, dict) and all(
        isinstance(addresses, list) and all(isinstance(each, str) for each in addresses)
        for addresses in value.values()
    )


def _workers():
    cluster, _ = _configuration()
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _place():
    """Which of `_workers` this process is."""
    cluster, task = _configuration()
    kind, index = task.get("type"), task.get("index")
    if kind not in ("worker", "chief"):
        raise KerasShrError(f"TF_CONFIG: task type is {shown(kind)}; expected 'worker'")
    count = len(cluster.get(kind, []))
    if type(index) is not int or not 0 <= index < count:
        raise KerasShrError(
            f"TF_CONFIG: task index is {shown(index)}; expected which of its {count} machines of "
            f"type {kind} this is, counted from 0"
        )
    return index + (len(cluster.get("chief", [])) if kind == "worker" else 0)


def _devices(backend, kinds):
    """Names of this machine's devices of the first kind that it has."""
    if backend == "jax":
        names = keras.distribution.list_devices()
        return names if "CPU" in kinds or not names[0].startswith("cpu") else []
    import tensorflow as tf

    found = ([device.name for device in tf.config.list_logical_devices(kind)] for kind in kinds)
    return next((names for names in found if names), [])


def _lost_worker(message):
    words = ("heartbeat", "unhealthy", "Connection reset", "failed to connect", "Socket closed")
    return any(word in message for word in words)


def _cause(message):
    """What stopped the collective operation, without the place in the graph."""
    found = re.search(r"aborted by: (?:Error reported from \S+ )?(.+)", message)
    return found.group(1) if found else first_line(message)
