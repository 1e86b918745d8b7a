"""Times the steps of a short `fit`, for the benchmarks of training steps."""

import itertools
import statistics
import time


def make_timer():
    import keras

    class Timer(keras.callbacks.Callback):
        """Seconds of each step of the last `fit`, without the first, which starts the input."""

        def on_train_begin(self, logs=None):
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # waits for the device
            self.ends.append((time.perf_counter(), time.process_time()))

        def seconds(self):
            """Median seconds of a step on the clock, and of CPU time over all threads."""
            steps = list(itertools.pairwise(self.ends))
            return tuple(statistics.median(b[i] - a[i] for a, b in steps) for i in (0, 1))

    return Timer()
