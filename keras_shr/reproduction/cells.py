"""One training run of a comparison."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Cell:
    """A method on an architecture, a data set and a seed.

    Attributes:
        method: a key of `keras_shr.methods.METHODS`.
        architecture: a backbone's name.
        data: the name of a data set of the run.
        seed: of the initial weights and of the order of images.
    """

    method: str
    architecture: str
    data: str
    seed: int

    @property
    def key(self) -> str:
        """The name of its folder."""
        return f"{self.method}-{self.architecture}-{self.data}-{self.seed}"

    @property
    def columns(self) -> dict:
        """What identifies it in the tables."""
        return asdict(self)

    def __str__(self):
        return f"{self.method}, {self.architecture}, {self.data}, seed {self.seed}"
