"""What is inside a `StableHeatmapRegressor`: a backbone and its upsampling, or a whole network."""

import keras

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones import (
    BACKBONES,
    build_backbone,
    freeze_batch_norm,
    set_batch_norm_momentum,
)
from keras_shr.models.networks import NETWORKS
from keras_shr.models.upsampling import (
    coarsest_last,
    is_count,
    upsample_to_heatmaps,
    upsampling_stages,
)

HEAD_OPTIONS = {"heatmap_stride": 4, "filters": 128, "skip_connections": True}
"""Options of what follows a backbone. A whole network has these heatmaps and no other choice."""


def build_network(
    num_keypoints,
    image_size,
    backbone,
    weights,
    alpha,
    head_options,
    batch_norm_momentum,
    frozen_batch_norm,
):
    """Images in 0..255 to logits; arguments as in `StableHeatmapRegressor`."""
    options = _own_options(backbone, alpha, weights)
    _check_norms(batch_norm_momentum, frozen_batch_norm)
    if isinstance(backbone, str) and backbone in NETWORKS:
        _check_head_options(backbone, head_options)
        network = trained = NETWORKS[backbone](num_keypoints, image_size, weights=weights)
    else:
        images = keras.Input((*image_size, 3), name="images")
        trained = build_backbone(backbone, image_size, weights, **options)
        features = keras.tree.flatten(trained(images))
        if isinstance(backbone, str):
            _check_multiple(backbone, image_size, 2 ** len(features))  # strides 2, 4, 8...
        logits = _head(features, num_keypoints, image_size, **head_options)
        network = keras.Model(images, logits, name="heatmap_network")
    set_batch_norm_momentum(network, batch_norm_momentum)
    if frozen_batch_norm:
        freeze_batch_norm(trained)
    return network


def _head(features, num_keypoints, image_size, heatmap_stride, filters, skip_connections):
    features = coarsest_last(features, image_size)
    stride = image_size[0] // features[-1].shape[1]
    stages = upsampling_stages(stride, heatmap_stride)
    filters = (filters,) * stages if is_count(filters) else filters
    if not isinstance(filters, tuple | list) or not all(map(is_count, filters)):
        raise KerasShrError(
            f"filters is {filters!r}; expected a width above 0, or one for each stage"
        )
    if len(filters) != stages:
        raise KerasShrError(
            f"filters has {len(filters)} widths; from stride {stride} to heatmaps of stride "
            f"{heatmap_stride} it takes {stages}"
        )
    return upsample_to_heatmaps(features, num_keypoints, filters, skip_connections)


def _own_options(backbone, alpha, weights):
    """The arguments that a backbone's function takes beside its weights."""
    if isinstance(backbone, keras.Model):
        for name, value, default in (("alpha", alpha, 1), ("weights", weights, None)):
            if value != default:
                raise KerasShrError(
                    f"{name}={value!r} is for a backbone given by name; leave {name} out for a "
                    "model of your own, which has its width and its weights"
                )
        return {}
    if not isinstance(backbone, str) or backbone not in (*BACKBONES, *NETWORKS):
        raise KerasShrError(
            f"backbone {backbone!r} is not known; give one of {', '.join((*BACKBONES, *NETWORKS))} "
            "or a keras.Model"
        )
    if backbone == "mobilenet_v2":
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 100:
            raise KerasShrError(f"alpha is {alpha!r}; expected a width above 0, such as 0.5")
        return {"alpha": alpha}
    if alpha != 1:
        raise KerasShrError(
            f"alpha={alpha} is a width of mobilenet_v2; {backbone} has one width: leave alpha out"
        )
    return {}


def _check_multiple(name, image_size, multiple):
    if name.startswith("hrnet"):  # its one map has stride 4, and a check of its own
        return
    if any(side % multiple for side in image_size):
        raise KerasShrError(
            f"{name} makes no heatmaps of images of {image_size[0]} x {image_size[1]}: height and "
            f"width must be multiples of {multiple}"
        )


def _check_norms(momentum, frozen):
    if isinstance(momentum, bool) or not isinstance(momentum, int | float) or not 0 <= momentum < 1:
        raise KerasShrError(
            f"batch_norm_momentum is {momentum!r}; expected a number from 0 to below 1"
        )
    if not isinstance(frozen, bool):
        raise KerasShrError(f"frozen_batch_norm is {frozen!r}; expected True or False")


def _check_head_options(name, head_options):
    for option, value in head_options.items():
        if value == HEAD_OPTIONS[option]:
            continue
        if option == "heatmap_stride":
            raise KerasShrError(f"{name} has heatmaps of stride 4, not heatmap_stride={value!r}")
        raise KerasShrError(
            f"{name} makes its heatmaps itself and has no {option}: leave {option}={value!r} out"
        )
