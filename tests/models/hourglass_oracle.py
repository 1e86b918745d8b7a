"""The stacked hourglass as the paper tells it, in NumPy, from weights named as the authors' are.

Maps are `(batch, height, width, channels)`, kernels `(outputs, inputs, height, width)`.
"""

import numpy as np


class Hourglass:
    """The network with the weights of a state dict.

    Args:
        weights: names to arrays.
        stacks: how many hourglasses.
        training: normalise by the batch instead of by the running statistics.
    """

    def __init__(self, weights, stacks, training):
        self.weights = {key: value.astype("float64") for key, value in weights.items()}
        self.stacks, self.training = stacks, training

    def __call__(self, images):
        """Logits of each stack for images in 0..255."""
        x = self.conv(images / 255, "pre.0.conv", stride=2)
        x = np.maximum(self.norm(x, "pre.0.bn"), 0)
        x = halved(self.residual(x, "pre.1"))
        x = self.residual(self.residual(x, "pre.3"), "pre.4")
        outputs = []
        for n in range(self.stacks):
            y = self.residual(self.hourglass(x, 4, f"hgs.{n}.0"), f"features.{n}.0")
            y = self.norm(self.conv(y, f"features.{n}.1.conv"), f"features.{n}.1.bn")
            y = np.maximum(y, 0)
            outputs.append(self.conv(y, f"outs.{n}.conv"))
            if n < self.stacks - 1:
                again = self.conv(outputs[-1], f"merge_preds.{n}.conv.conv")
                x = x + again + self.conv(y, f"merge_features.{n}.conv.conv")
        return outputs

    def hourglass(self, x, halvings, name):
        low = self.residual(halved(x), f"{name}.low1")
        if halvings == 1:
            low = self.residual(low, f"{name}.low2")
        else:
            low = self.hourglass(low, halvings - 1, f"{name}.low2")
        low = self.residual(low, f"{name}.low3")
        return self.residual(x, f"{name}.up1") + np.repeat(np.repeat(low, 2, axis=1), 2, axis=2)

    def residual(self, x, name):
        y = x
        for n in (1, 2, 3):
            y = np.maximum(self.norm(y, f"{name}.bn{n}"), 0)
            y = self.conv(y, f"{name}.conv{n}.conv")
        if y.shape != x.shape:
            x = self.conv(x, f"{name}.skip_layer.conv")
        return x + y

    def conv(self, x, name, stride=1):
        kernel, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        margin = kernel.shape[2] // 2
        x = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(1, 2))
        windows = windows[:, ::stride, ::stride]  # batch, height, width, inputs, kernel's two
        return np.tensordot(windows, kernel, axes=((3, 4, 5), (1, 2, 3))) + bias

    def norm(self, x, name):
        mean, variance = (self.weights[f"{name}.running_{part}"] for part in ("mean", "var"))
        if self.training:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        x = (x - mean) / np.sqrt(variance + 1e-5)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def halved(x):
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def trainable_parameters(joints, stacks, features=256):
    """Counted on paper."""

    def conv(inputs, outputs, size=1):
        return inputs * outputs * size**2 + outputs

    def residual(inputs, outputs):
        half = outputs // 2
        skip = conv(inputs, outputs) if inputs != outputs else 0
        norms = 2 * (inputs + half + half)
        return norms + conv(inputs, half) + conv(half, half, 3) + conv(half, outputs) + skip

    first, second = features // 4, features // 2
    stem = conv(3, first, 7) + 2 * first
    stem += residual(first, second) + residual(second, second) + residual(second, features)
    stack = (3 * 4 + 1 + 1) * residual(features, features) + conv(features, features)
    stack += 2 * features + conv(features, joints)
    merge = conv(features, features) + conv(joints, features)
    return stem + stacks * stack + (stacks - 1) * merge
