"""Times of models that take turns, on the clock and of the CPU."""

import contextlib
import signal
import statistics
import sys
import time


@contextlib.contextmanager
def within(seconds):
    """Raises TimeoutError in Python code that takes longer; no effect where there is no SIGALRM."""

    def stop(*_):
        raise TimeoutError(f"longer than {seconds} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def inference(model):
    """A function that runs one image, compiled."""
    import numpy as np
    import tensorflow as tf

    from keras_shr import _compile

    shape = (1, *model.image_size, 3)
    run = _compile.compiled(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec(shape, "uint8")],
    )
    image = tf.constant(np.random.default_rng(0).integers(0, 256, shape, dtype="uint8"))
    return lambda: run(image).numpy()


def training(model, pairs):
    """A function that does one paired step of `pairs` images."""
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (pairs, *model.image_size, 3), dtype="uint8")
    keypoints = np.full((pairs, model.num_keypoints, 3), 2.0, "float32")
    keypoints[..., :2] = rng.uniform(0, min(model.image_size) - 1, keypoints[..., :2].shape)
    model.compile()
    # As `fit` does, which is not used because it takes its time to start.
    model.optimizer.build(model.trainable_variables)
    return lambda: model.train_on_batch(images, keypoints)


def timed(function):
    """Seconds on the clock, and of CPU time over all threads."""
    start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def prepared(makers, limit):
    """What is to be timed, called once each; what takes longer than `limit` seconds is left out.

    Args:
        makers: name -> function that builds a model and gives the function to time.
    """
    functions = {}
    for name, make in makers.items():
        start = time.perf_counter()
        try:
            with within(limit):
                function = make()
                function()
        except TimeoutError as error:
            print(f"{name}: left out, preparing it took {error}", file=sys.stderr, flush=True)
            continue
        print(f"{name}: ready after {time.perf_counter() - start:.1f} s", file=sys.stderr)
        functions[name] = function
    return functions


def take_turns(functions, turns, limit):
    """Times of each function, `(clock, CPU)` in seconds, in each turn.

    A function that has had `limit` seconds gets no more turns.
    """
    found, spent = {name: [] for name in functions}, dict.fromkeys(functions, 0.0)
    for _ in range(turns):
        for name, function in functions.items():
            if spent[name] < limit:
                warm = timed(function)  # the caches are the model's again
                found[name].append(timed(function))
                spent[name] += warm[0] + found[name][-1][0]
    return found


def summary(times, reference):
    """Of one model's times: medians `(clock, CPU)`, and medians of the ratios, turn by turn, to
    the reference's times."""
    medians = [statistics.median(each[i] for each in times) for i in (0, 1)]
    pairs = list(zip(times, reference, strict=False))  # a slow model has had fewer turns
    ratios = [statistics.median(own[i] / other[i] for own, other in pairs) for i in (0, 1)]
    return *medians, *ratios
