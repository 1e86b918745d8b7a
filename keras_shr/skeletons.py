"""What the keypoints of a data set are called, how they connect and how they mirror."""

import dataclasses
from dataclasses import dataclass

from keras_shr.errors import KerasShrError, shown


@dataclass(frozen=True)
class Skeleton:
    """Names, bones and mirror pairs of a keypoint set.

    Attributes:
        name: what the set is called, such as `"hand_21"`.
        keypoints: one name for each keypoint, in the order of the data.
        edges: pairs of keypoint indices that a picture joins with a line.
        flip_pairs: pairs of keypoint indices that change places when the image is mirrored
            (left eye and right eye). A set without sides, such as one hand, has none.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "keypoints", tuple(str(k) for k in self.keypoints))
        for field in ("edges", "flip_pairs"):
            pairs = tuple((int(a), int(b)) for a, b in getattr(self, field))
            for pair in pairs:
                if pair[0] == pair[1] or not all(0 <= i < len(self.keypoints) for i in pair):
                    raise KerasShrError(
                        f"skeleton {self.name!r}: {field} has the pair {pair}; each must name two "
                        f"different keypoints from 0 to {len(self.keypoints) - 1}"
                    )
            object.__setattr__(self, field, pairs)
        mirrored = [i for pair in self.flip_pairs for i in pair]
        if len(mirrored) != len(set(mirrored)):
            raise KerasShrError(f"skeleton {self.name!r}: a keypoint is in two flip_pairs")

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def flip_order(self) -> tuple[int, ...]:
        """Index of each keypoint's mirror image: `keypoints[flip_order]` after a flip."""
        order = list(range(len(self)))
        for a, b in self.flip_pairs:
            order[a], order[b] = b, a
        return tuple(order)

    def index(self, name: str) -> int:
        """Position of the keypoint called `name`."""
        try:
            return self.keypoints.index(name)
        except ValueError:
            raise KerasShrError(
                f"skeleton {self.name!r} has no keypoint {name!r}; it has "
                + ", ".join(self.keypoints)
            ) from None

    def to_dict(self) -> dict:
        """The skeleton as JSON-ready lists."""
        return {
            "name": self.name,
            "keypoints": list(self.keypoints),
            "edges": [list(e) for e in self.edges],
            "flip_pairs": [list(p) for p in self.flip_pairs],
        }

    @classmethod
    def from_dict(cls, value: dict) -> "Skeleton":
        """The inverse of `to_dict`.

        Raises:
            KerasShrError: `value` is something else.
        """
        fields = [f.name for f in dataclasses.fields(cls)]
        found = {k: v for k, v in value.items() if k in fields} if isinstance(value, dict) else {}
        names, lists = found.get("keypoints"), (list, tuple)
        pairs = [p for k in ("edges", "flip_pairs") for p in _listed(found.get(k, []))]
        if not (
            isinstance(found.get("name"), str)
            and isinstance(names, lists)
            and all(isinstance(n, str) for n in names)
            and all(isinstance(p, lists) and [type(i) for i in p] == [int, int] for p in pairs)
        ):
            raise KerasShrError(
                f"{shown(value)} is not a skeleton; expected name, keypoints (names) and, if there "
                "are any, edges and flip_pairs (pairs of indices)"
            )
        return cls(**found)

    @classmethod
    def generic(cls, count: int) -> "Skeleton":
        """A skeleton of `count` numbered keypoints without bones."""
        return cls(f"keypoints_{count}", tuple(f"keypoint_{i}" for i in range(count)))


def knows_sides(skeleton) -> bool:
    """Whether a `Skeleton`, or None, says which keypoints are left and right; one that has only
    numbers, as `Skeleton.generic` makes it, does not."""
    return skeleton is not None and skeleton != Skeleton.generic(len(skeleton))


def _listed(value):
    return value if isinstance(value, list | tuple) else [value]


_FINGERS = ("thumb", "index", "middle", "ring", "little")
_JOINTS = {"thumb": ("cmc", "mcp", "ip", "tip")} | dict.fromkeys(
    _FINGERS[1:], ("mcp", "pip", "dip", "tip")
)

HAND_21 = Skeleton(
    "hand_21",
    ("wrist", *(f"{f}_{j}" for f in _FINGERS for j in _JOINTS[f])),
    tuple(
        (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1)
        for finger in range(5)
        for joint in range(4)
    ),
)
"""One hand: wrist, then thumb, index, middle, ring and little finger from base to tip."""
