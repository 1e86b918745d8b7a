"""The backbones beside PyTorch's networks of the same weights, stage by stage.

    KERAS_BACKEND=jax python tests/models/backbone_parity.py

Needs torch, torchvision and timm; writes results/torch_parity.csv. Each row is one stage: the
largest difference of the two outputs over the largest value of torch's, and a checksum of torch's,
with which `test_backbones.py` compares where there is no torch.

In training mode rounding grows with depth, the more the fewer values a batch statistic has: with
two images of 64x64 (8 values in the last stage) torch's ShuffleNetV2 in float32 is 1.4e-4 from
itself in float64, with four 3e-5. Hence four.
"""

import argparse
import csv
import importlib.metadata
import os
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import keras
import numpy as np

from keras_shr.models.backbones import HRNET_WIDTHS, build_backbone, hrnet
from keras_shr.models.weights import CLASSIFIER_HEADS, from_torch

RESULTS = Path(__file__).resolve().parents[2] / "results" / "torch_parity.csv"
SIZES = ((64, 64), (97, 75))
BATCH = 4
VGG_STAGES = tuple(f"features.{n}" for n in (5, 6, 12, 25, 38, 51, 52))
HRNET_SIZES = ((64, 64), (96, 64), (93, 61))  # others torch refuses as well
HRNET_STAGES = (
    "act2",
    "layer1.3.act3",
    "stage2.0.fuse_act.1",
    "stage3.3.fuse_act.2",
    *(f"stage4.2.fuse_act.{n}" for n in range(4)),
)
SHUFFLENET_STAGES = ("conv1.2", "maxpool", "stage2.3", "stage3.7", "stage4.3", "conv5.2")
FIELDS = (
    "architecture",
    "mode",
    "image_size",
    "stage",
    "relative_difference",
    "torch_checksum",
    "parameters",
    "torch_parameters",
    "versions",
    "command",
)


@dataclass(frozen=True)
class Architecture:
    """A network that both libraries have.

    Attributes:
        name: in `BACKBONES`.
        stages: names that a layer in Keras and a module in torch share; a number after torch's name
            says which call of the module is meant.
        features: torch's submodule that stands for the whole, if it is not the network itself.
        sizes: of the images, height and width.
        library: the torch library that has it.
    """

    name: str
    stages: tuple
    features: str = ""
    sizes: tuple = SIZES
    library: str = "torchvision"

    def backbone(self, size):
        """The model in Keras, HRNet with all four branches."""
        if self.name.startswith("hrnet"):
            return hrnet(int(self.name.removeprefix("hrnet_w")), size)
        return build_backbone(self.name, size)

    def torch_network(self):
        if self.library == "timm":
            import timm

            return timm.create_model(self.name)
        import torchvision

        options = {"init_weights": False} if "vgg" in self.name else {}
        return getattr(torchvision.models, self.name)(**options)


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        *(
            Architecture(
                f"hrnet_w{width}",
                HRNET_STAGES,
                sizes=HRNET_SIZES,
                library="timm",
            )
            for width in HRNET_WIDTHS
        ),
        *(
            Architecture(f"shufflenet_v2_{width}", SHUFFLENET_STAGES)
            for width in ("x0_5", "x1_0", "x1_5", "x2_0")
        ),
        Architecture("vgg19_bn", VGG_STAGES, features="features"),
    )
}


def random_weights(shapes):
    """Weights for the keys of a state dict, each from its own name, whatever the order.

    Convolutions keep the size of what passes; scale, offset and statistics of the normalisations
    are far from 1 and 0.
    """
    weights = {}
    for key, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        if len(shape) == 4:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif key.endswith("running_var"):
            value = rng.uniform(0.5, 2, shape)
        elif key.endswith("weight"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.2, shape)
        weights[key] = value.astype("float32")
    return weights


def random_images(size):
    return np.random.default_rng(1).integers(0, 256, (BATCH, *size, 3), dtype=np.uint8)


def checksum(output):
    """A mean with weights, which differ from place to place, so that an exchange shows."""
    weights = np.random.default_rng(2).uniform(0, 1, output.shape)
    return float((output.astype("float64") * weights).sum() / weights.sum())


def keras_stages(backbone, architecture, images, training=False):
    """The outputs of the stages for images in 0..255."""
    outputs = [backbone.get_layer(stage).output for stage in architecture.stages]
    stages = keras.Model(backbone.inputs[0], outputs)(
        keras.ops.cast(images, "float32"), training=training
    )
    return [keras.ops.convert_to_numpy(stage) for stage in stages]


class TorchBackbone:
    """torch's network with the same random weights."""

    def __init__(self, architecture):
        import torch

        self.network = architecture.torch_network()
        state = self.network.state_dict()
        ignored = (*CLASSIFIER_HEADS, "*num_batches_tracked")
        self.shapes = {
            key: tuple(value.shape)
            for key, value in state.items()
            if not any(fnmatchcase(key, pattern) for pattern in ignored)
        }
        self.parameters = sum(
            value.numel() for key, value in self.network.named_parameters() if key in self.shapes
        )
        weights = {k: torch.from_numpy(v) for k, v in random_weights(self.shapes).items()}
        self.network.load_state_dict(state | weights)
        self.whole = self.network.get_submodule(architecture.features)
        self.stages = architecture.stages

    def __call__(self, images, training):
        """The outputs of the stages, channels last, for images in 0..255."""
        import torch

        modules = dict(self.network.named_modules())
        calls = {  # stage → module, which of its calls
            stage: (stage, "0") if stage in modules else stage.rsplit(".", 1)
            for stage in self.stages
        }
        kept = {name: [] for name, _ in calls.values()}
        hooks = [
            modules[name].register_forward_hook(
                lambda module, inputs, output, name=name: kept[name].append(output.clone())
            )
            for name in kept
        ]
        mean = np.array([0.485, 0.456, 0.406], "float32")
        deviation = np.array([0.229, 0.224, 0.225], "float32")
        inputs = (images.astype("float32") / 255 - mean) / deviation
        with torch.no_grad():
            self.whole.train(training)(torch.from_numpy(inputs.transpose(0, 3, 1, 2).copy()))
        for hook in hooks:
            hook.remove()
        outputs = [kept[name][int(call)] for name, call in calls.values()]
        return [output.numpy().transpose(0, 2, 3, 1) for output in outputs]


def relative_difference(output, expected):
    assert output.shape == expected.shape, (output.shape, expected.shape)
    return float(np.abs(output - expected).max() / np.abs(expected).max())


def compare(architecture, size):
    """Rows of the table: both modes, every stage."""
    reference = TorchBackbone(architecture)
    backbone = architecture.backbone(size)
    from_torch(backbone, reference.network.state_dict())
    parameters = sum(int(np.prod(v.shape)) for v in backbone.trainable_variables)
    images = random_images(size)
    rows = []
    for mode in ("inference", "training"):  # in this order: training moves the statistics
        ours = keras_stages(backbone, architecture, images, mode == "training")
        theirs = reference(images, mode == "training")
        for stage, output, expected in zip(architecture.stages, ours, theirs, strict=True):
            rows.append(
                {
                    "architecture": architecture.name,
                    "mode": mode,
                    "image_size": f"{size[0]}x{size[1]}",
                    "stage": stage,
                    "relative_difference": relative_difference(output, expected),
                    "torch_checksum": checksum(expected),
                    "parameters": parameters,
                    "torch_parameters": reference.parameters,
                }
            )
    return rows


def recorded():
    """The rows of the table as it is, if it is there."""
    if not RESULTS.exists():
        return []
    with open(RESULTS, newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--architectures",
        nargs="+",
        choices=ARCHITECTURES,
        default=list(ARCHITECTURES),
        help="measured anew; the rows of others stay",
    )
    options = parser.parse_args()
    backend = keras.backend.backend()
    command = f"KERAS_BACKEND={backend} python tests/models/{Path(__file__).name} --architectures"
    rows = [row for row in recorded() if row["architecture"] not in options.architectures]
    for name in options.architectures:
        libraries = ("keras", backend, "torch", ARCHITECTURES[name].library)
        versions = ", ".join(f"{lib} {importlib.metadata.version(lib)}" for lib in libraries)
        for size in ARCHITECTURES[name].sizes:
            measured = compare(ARCHITECTURES[name], size)
            worst = max(measured, key=lambda row: row["relative_difference"])
            print(name, size, f"{worst['relative_difference']:.1e}", worst["mode"], worst["stage"])
            for row in measured:
                row["relative_difference"] = f"{row['relative_difference']:.2e}"
                row["torch_checksum"] = f"{row['torch_checksum']:.8g}"
                rows.append(row | {"versions": versions, "command": f"{command} {name}"})
    rows.sort(key=lambda row: list(ARCHITECTURES).index(row["architecture"]))
    temporary = RESULTS.with_name(RESULTS.name + ".tmp")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, RESULTS)


if __name__ == "__main__":
    main()
