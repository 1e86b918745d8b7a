"""Names that hints use."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A tensor of Keras's backend: of TensorFlow, JAX or PyTorch. No type is common to them."""
