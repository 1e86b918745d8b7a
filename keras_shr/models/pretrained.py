"""Trained models to start from: those that come with the package, and files."""

import zipfile
from pathlib import Path

import keras
import numpy as np

from keras_shr.errors import KerasShrError, first_line
from keras_shr.models._archive_check import check_archive
from keras_shr.skeletons import Skeleton

_PACKAGE = Path(__file__).parents[1]
# In a wheel the folder lies inside the package, in a checkout beside it.
_FOLDERS = (_PACKAGE / "saved_models", _PACKAGE.parent / "saved_models")


def pretrained_names() -> tuple[str, ...]:
    """The names of the trained models that come with the package, see `saved_models/README.md`."""
    return tuple(sorted({path.stem for folder in _FOLDERS for path in folder.glob("*.keras")}))


def pretrained_path(name) -> Path:
    """The file of a trained model that comes with the package.

    Args:
        name: one of `pretrained_names()`, such as `"hand"`.

    Raises:
        KerasShrError: there is no such model.
    """
    for folder in _FOLDERS:
        path = folder / f"{name}.keras"
        if path.is_file():
            return path
    raise KerasShrError(
        f"there is no file and no trained model {str(name)!r}; the trained ones are "
        + (", ".join(pretrained_names()) or "missing from this installation")
    )


def load_trained(path_or_name) -> keras.Model:
    """A saved model, not compiled. Code inside the file (Lambda layers) is refused, not run, and
    so is what would make it read another file.

    Args:
        path_or_name: a `.keras` file, or one of `pretrained_names()`.

    Raises:
        KerasShrError: there is none, or Keras cannot load it.
    """
    path = Path(path_or_name)
    if not path.is_file():
        best = path / "best.keras"
        if best.is_file():
            raise KerasShrError(f"{path} is a folder; give the file of a model, such as {best}")
        path = pretrained_path(path_or_name)
    # Keras looks at the name and would read HDF5, whose layers may be code, under another one.
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise KerasShrError(f"{path} cannot be loaded: it is no .keras file that model.save wrote")
    try:
        check_archive(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise KerasShrError(f"{path} cannot be loaded: {first_line(error)}") from error


def transfer_weights(source, target):
    """Copies the weights of one network to another that differs in its keypoints alone.

    Args:
        source, target: `PairedHeatmapModel`s whose networks have the same layers. A layer that
            depends on the keypoints is copied for those that both skeletons name, and keeps its
            fresh weights for the others; where one of them does not name its keypoints, equally
            many are copied in their order.

    Raises:
        KerasShrError: networks that differ in more.
    """
    if not hasattr(source, "network"):
        raise KerasShrError(
            f"a {type(source).__name__} is no model of keras_shr; wrap it in "
            "keras_shr.models.PairedHeatmapModel and save that"
        )
    if _differ_in_names(source, target):
        between = _with_one_more(source, target)
        if between is not None:
            transfer_weights(source, between)
            source = between
    old, new = source.network.weights, target.network.weights
    if len(old) != len(new):
        raise KerasShrError("the saved network has other layers than the new one")
    shared = _shared_keypoints(source.skeleton, target.skeleton)
    counts = source.num_keypoints, target.num_keypoints
    values = [_taken_over(a, b, counts, shared) for a, b in zip(old, new, strict=True)]
    for weight, value in zip(new, values, strict=True):
        weight.assign(value)


def _differ_in_names(source, target):
    """Whether both have equally many keypoints, which they name, in another way."""
    skeletons = source.skeleton, target.skeleton
    if any(skeleton is None or skeleton.is_numbered for skeleton in skeletons):
        return False
    old, new = (skeleton.keypoints for skeleton in skeletons)
    return len(old) == len(new) and old != new


def _with_one_more(source, target):
    """A network like the target's for its keypoints and another one: only where their number
    differs can it be told which axes of the weights they are. None where none can be built."""
    for model in (target, source):
        config = model.get_config()
        if "backbone" in config:
            names = (*target.skeleton.keypoints, "one more")
            changes = {"num_keypoints": len(names), "skeleton": Skeleton("wider", names)}
            return type(model).from_config(config | changes | {"augmentation": None})
    return None


def _shared_keypoints(old, new):
    """Pairs of the indices of equally named keypoints."""
    if old is None or new is None:
        return []
    return [(old.index(n), j) for j, n in enumerate(new.keypoints) if n in old.keypoints]


def _taken_over(old, new, counts, shared):
    """The values of a new weight: the old one's as far as both have the same keypoints."""
    before, after = np.array(old), np.array(new)
    if before.shape == after.shape:
        return before
    pairs = list(zip(before.shape, after.shape, strict=False))
    changed = [axis for axis, (a, b) in enumerate(pairs) if a != b]
    if before.ndim != after.ndim or any(pairs[axis] != counts for axis in changed):
        raise KerasShrError(
            f"the saved network has {old.path} of {before.shape}, not {after.shape}"
        )
    if len(changed) == 1:
        saved, rows = (np.moveaxis(values, changed[0], 0) for values in (before, after))
        for i, j in shared:
            rows[j] = saved[i]  # a view of `after`
    return after
