"""A whole training run from a configuration."""

from keras_shr.training.batches import Batches
from keras_shr.training.config import Config, assigned, load_config
from keras_shr.training.devices import find_devices
from keras_shr.training.run import train

__all__ = ["Batches", "Config", "assigned", "find_devices", "load_config", "train"]
