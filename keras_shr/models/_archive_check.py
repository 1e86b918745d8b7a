"""What a `.keras` file may refer to: nothing outside itself.

Keras refuses these in its newest versions; this package runs from Keras 3.10 on, which reads them.
"""

import json
import zipfile

import h5py

from keras_shr.errors import KerasShrError, shown

# Modules of Keras whose functions are mathematics. Others download, or read and write files.
_FUNCTIONS = {
    f"keras.{name}"
    for name in (
        *("activations", "constraints", "initializers", "losses", "metrics", "ops", "random"),
        *("regularizers", "utils.bounding_boxes"),
    )
}
_PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp")
# Layers that load something else, or unpickle code.
_REFUSED_LAYERS = {"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_LOOKUPS = {"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"}


def check_archive(path) -> None:
    """Refuses a `.keras` file that names functions or files which loading it would use.

    Raises:
        KerasShrError: what it asks for; the caller says of which file.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name == "config.json":
                _check_config(json.loads(archive.read(name)))
            elif name.endswith(".h5"):
                with archive.open(name) as stream, h5py.File(stream, "r") as weights:
                    _check_weights(weights)


def _check_config(value):
    """Looks at everything in a configuration, however deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            _check_object(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_object(value):
    kind, module = value.get("class_name"), value.get("module")
    if kind == "function":
        package = str(module).split(".")[0]
        if package in _PACKAGES and module not in _FUNCTIONS:
            asked = f"{module}.{value.get('config')}"
            raise KerasShrError(f"it asks for the function {shown(asked)}")
        return
    names = {str(value.get(key)).rpartition(">")[2] for key in ("class_name", "registered_name")}
    if names & _REFUSED_LAYERS:
        raise KerasShrError(f"it has a {min(names & _REFUSED_LAYERS)}, which loads another file")
    settings = value.get("config")
    if names & _LOOKUPS and isinstance(settings, dict):
        vocabulary = settings.get("vocabulary")
        if isinstance(vocabulary, str):
            raise KerasShrError(f"it reads a vocabulary from {shown(vocabulary)}")


def _check_weights(group):
    """HDF5 can take a group or the numbers of a data set from other files."""
    waiting, seen = [group], set()
    while waiting:
        group = waiting.pop()
        if group in seen:  # a group may hold one that holds it
            continue
        seen.add(group)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise KerasShrError(f"its weights have a link to another place, {shown(name)}")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                raise KerasShrError(f"its weights lie in another file, {shown(item.name)}")
