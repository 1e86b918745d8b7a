"""What the keypoints of a data set are called, how they connect and how they mirror."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

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
        given: Any = self.keypoints  # whatever a user's file or call has
        names = () if isinstance(given, str) else tuple(str(k) for k in given)
        object.__setattr__(self, "keypoints", names)
        if not names or len(set(names)) < len(names):
            twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
            found = "none" if twice is None else f"{twice!r} twice"
            raise KerasShrError(
                f"skeleton {self.name!r}: keypoints are different names; found {found}"
            )
        for field in ("edges", "flip_pairs"):
            try:
                pairs = tuple((int(a), int(b)) for a, b in getattr(self, field))
            except (TypeError, ValueError):
                raise KerasShrError(
                    f"skeleton {self.name!r}: {field} is {shown(getattr(self, field))}; expected "
                    "pairs of keypoint indices"
                ) from None
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
    def is_numbered(self) -> bool:
        """Whether the keypoints have no names of their own, see `generic`."""
        return self == Skeleton.generic(len(self))

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


def as_skeleton(value) -> Skeleton | None:
    """A `Skeleton`, its dictionary, or None as a `Skeleton` or None.

    Raises:
        KerasShrError: `value` is something else.
    """
    if value is None or isinstance(value, Skeleton):
        return value
    return Skeleton.from_dict(value)


def mirror_pairs(names) -> list[tuple[int, int]]:
    """Pairs of the indices of names that differ only in left and right, in every place.

    The side may be a word, or the beginning or end of one (`left_eye`, `eyeRight`, `leftear`), or
    a letter (`L_Eye`, `eye_r`). A name whose counterpart is not there has no pair. The left corner
    of the left eye mirrors the right corner of the right eye.
    """
    words = [_words(name) for name in names]
    places = {those: i for i, those in enumerate(words)}
    pairs = []
    for i, those in enumerate(words):
        other = places.get(tuple((_OTHER.get(side), rest) for side, rest in those), i)
        first = next((side for side, _ in those if side), None)
        if i != other and first == "left":
            pairs.append((i, other))
    return pairs


def numbered_keypoints(names) -> set[int]:
    """Indices of the names that differ from others in a number alone, such as `jaw_0` and `jaw_1`:
    which of them change places in a mirror they do not say. Vertebrae do not (`L1` to `L5`)."""
    found: dict = {}
    for i, name in enumerate(names):
        found.setdefault(re.sub(r"\d+", "#", name), []).append(i)
    return {
        i
        for word, several in found.items()
        if len(several) > 1 and word not in _VERTEBRAE
        for i in several
    }


def sided_keypoints(skeleton) -> set[int]:
    """Indices of the names that say left or right, also where it is no more than one letter."""
    sided = {i for i, name in enumerate(skeleton.keypoints) if any(s for s, _ in _words(name))}
    places = {name.lower(): i for i, name in enumerate(skeleton.keypoints)}
    for name, place in places.items():
        for at, letter in enumerate(name):
            counterpart = f"{name[:at]}r{name[at + 1 :]}"
            if letter == "l" and counterpart in places:
                sided |= {place, places[counterpart]}
    return sided


def knows_sides(skeleton) -> bool:
    """Whether a `Skeleton`, or None, tells how pictures are mirrored: what is left and right.

    It does not where a name says its side (`left_eye`, or `tl` beside `tr`) and `flip_pairs` do not
    have it, nor, without any `flip_pairs`, where names differ in numbers alone.
    """
    if skeleton is None:
        return False
    sided = sided_keypoints(skeleton)
    if skeleton.flip_pairs:
        return sided <= {i for pair in skeleton.flip_pairs for i in pair}
    if len(skeleton) == 1 and any(map(str.isdigit, skeleton.keypoints[0])):
        return False  # "point 1" is the first of something
    return not sided and not numbered_keypoints(skeleton.keypoints)


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WITHOUT_SIDE = ("bright", "upright", "cleft")
_OTHER = {"left": "right", "right": "left"}
_VERTEBRAE = ("C#", "T#", "Th#", "L#", "S#")


def _words(name):
    """The words of a name: for each the side that it says (left, right or None) and its rest."""
    words = [word.lower() for word in _WORD.findall(name)]
    found = []
    for i, word in enumerate(words):
        others = (*words[:i], *words[i + 1 :])
        sides = (
            side
            for side in _OTHER
            # L_Eye, but not the vertebra L1
            if (word == side[0] and (not others or any(map(str.isalpha, others))))
            or word.startswith(side)
            or (word.endswith(side) and word not in _WITHOUT_SIDE)
        )
        side = next(sides, None)
        if side is not None:
            word = "" if word == side[0] else word.removeprefix(side).removesuffix(side)
        found.append((side, word))
    return tuple(found)


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
