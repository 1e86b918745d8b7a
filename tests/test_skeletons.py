"""Names of keypoints, and what they say about left and right."""

import pytest

from keras_shr.errors import KerasShrError
from keras_shr.skeletons import HAND_21, Skeleton, as_skeleton, knows_sides, mirror_pairs

PAIRED = [
    ("nose", "left_eye", "right_eye"),
    ("Nose", "L_Eye", "R_Eye"),
    ("nose", "eye_l", "eye_r"),
    ("nose", "LeftKnee", "RightKnee"),
    ("nose", "LEFT EAR", "RIGHT EAR"),
    ("nose", "leftear", "rightear"),
    ("nose", "LKnee", "RKnee"),
    ("nose", "L", "R"),
]


@pytest.mark.parametrize("names", PAIRED, ids=lambda names: names[1])
def test_names_that_differ_in_the_side_are_mirrored(names):
    assert mirror_pairs(names) == [(1, 2)]
    assert not knows_sides(Skeleton("x", names))  # a mirrored left eye would stay a left eye
    assert knows_sides(Skeleton("x", names, flip_pairs=((1, 2),)))


def test_each_name_has_one_counterpart():
    paws = ("L_F_Paw", "R_F_Paw", "L_B_Paw", "R_B_Paw")
    assert mirror_pairs(paws) == [(0, 1), (2, 3)]
    assert mirror_pairs(("left_eye", "nose", "bright_spot", "L1", "R1")) == []


def test_all_sides_of_a_name_change():
    """In a mirror the left corner of the left eye lies where the right one's right corner was."""
    corners = ("LeftEyeLeftCorner", "LeftEyeRightCorner", "RightEyeLeftCorner")
    assert mirror_pairs((*corners, "RightEyeRightCorner")) == [(0, 3), (1, 2)]
    assert mirror_pairs(corners) == [(1, 2)]
    assert mirror_pairs(("left_left", "right_left", "left_right", "right_right")) == [
        (0, 3),
        (2, 1),
    ]


def test_names_whose_words_are_alike_or_in_another_script_have_no_pairs():
    for names in (("鼻", "目", "耳"), ("kp-1", "kp_1"), ("nose", "Nose")):
        assert mirror_pairs(names) == []


def test_a_side_without_its_counterpart_is_not_known():
    assert not knows_sides(Skeleton("one eye", ("left_eye", "nose")))
    pairs = ((0, 1),)
    assert not knows_sides(Skeleton("x", ("left_eye", "right_eye", "left_ear"), flip_pairs=pairs))


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("tl", "tr", "br", "bl"), ((0, 1), (2, 3))),
        (("nose", "Lpaw", "Rpaw", "tail"), ((1, 2),)),
        (("head", "lsho", "rsho"), ((1, 2),)),
        (("LASI", "RASI", "sacrum"), ((0, 1),)),
        (("nose", "L1", "R1"), ((1, 2),)),
    ],
)
def test_a_side_may_be_one_letter(names, pairs):
    """Too little to pair them by, too much to mirror them."""
    assert not knows_sides(Skeleton("x", names))
    assert not knows_sides(Skeleton("x", ("left", "right", *names), flip_pairs=((0, 1),)))
    assert knows_sides(Skeleton("x", names, flip_pairs=pairs))


@pytest.mark.parametrize(
    "names",
    [
        *(("kpt-0", "kpt-1"), ("0", "1"), ("point 1",)),
        ("jaw_0", "jaw_1", "brow_0", "brow_1", "nose"),
    ],
)
def test_numbers_say_nothing_about_sides(names):
    assert not knows_sides(Skeleton("face", names))
    if len(names) > 1:
        assert knows_sides(Skeleton("face", names, flip_pairs=((0, 1),)))


def test_names_without_sides_are_mirrored():
    for skeleton in (HAND_21, Skeleton("x", ("a", "b")), Skeleton("spine", ("L1", "L2", "S1"))):
        assert knows_sides(skeleton)
    assert not knows_sides(None)
    assert not knows_sides(Skeleton.generic(3))


def test_skeletons_that_are_none():
    for names, found in ((("a", "a"), "'a' twice"), ((), "none"), ("ab", "none")):
        with pytest.raises(KerasShrError, match=f"keypoints are different names; found {found}"):
            Skeleton("x", names)
    with pytest.raises(KerasShrError, match=r"edges is .*; expected pairs of keypoint indices"):
        Skeleton("x", ("a", "b", "c"), ((0, 1, 2),))
    with pytest.raises(KerasShrError, match="'hand_21' is not a skeleton"):
        as_skeleton("hand_21")
    assert as_skeleton(HAND_21.to_dict()) == HAND_21
    assert as_skeleton(None) is None
