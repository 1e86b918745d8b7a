"""`train_step` for each backend: both only put the pairs in front of Keras's own step.

The pair is drawn in `PairedHeatmapModel.make_pairs`, which is the same on every backend. Keras's
step then does the forward pass, `compute_loss`, loss scaling and the update. In JAX everything a
step reads has to be an argument, the number of the step too.
"""

import keras


class _StatefulTrainer:
    def train_step(self, data):
        return super().train_step(self.make_pairs(data, self.optimizer.iterations))


class _JaxTrainer:
    def train_step(self, state, data):
        optimizer_variables = state[2]
        mapping = zip(self.optimizer.variables, optimizer_variables, strict=True)
        with keras.StatelessScope(state_mapping=mapping):
            step = self.optimizer.iterations.value
        return super().train_step(state, self.make_pairs(data, step))


PairTrainer = _JaxTrainer if keras.config.backend() == "jax" else _StatefulTrainer
