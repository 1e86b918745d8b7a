import json

import numpy as np
import pytest

from keras_shr.data import COCOReader, FolderReader, open_data
from keras_shr.errors import DataError, MissingPartError
from keras_shr.skeletons import HAND_21, Skeleton, knows_sides
from tests.small_sets import grey_picture, save


def test_coco_pixel_worked_out_on_paper(coco_root):
    # Box [20, 10, 40, 20]: middle (40, 20), longer side 40, padded by 1.25 to 50, so the square
    # begins at (15, -5), measured from the picture's corner. With 100 pixels it is doubled.
    # Nose at (30, 15), a pixel's centre:
    #   x = (30.5 - 15) * 2 - 0.5 = 30.5,  y = (15.5 + 5) * 2 - 0.5 = 40.5
    record = COCOReader(coco_root / "person.json", coco_root / "pictures", size=100)[0]
    np.testing.assert_allclose(record.keypoints, [[30.5, 40.5, 2], [70.5, 34.5, 1], [0, 0, 0]])
    assert not record.image[:9].any()  # five source rows above the picture are black
    assert record.image[11:].any(axis=2).all()


def test_no_group_may_be_written_as_null(tmp_path):
    """As pandas writes it: no group of that name."""
    lines = [{"file": f, "keypoints": [[1, 2]], "group": None} for f in ("a.png", "b.png", "b.png")]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name in "ab":
        save(tmp_path / f"{name}.png", grey_picture(20, 20))
    assert [record.group for record in FolderReader(tmp_path)] == ["", "file:b.png", "file:b.png"]


def test_coco_skeleton_and_choice_of_annotations(coco_root):
    reader = COCOReader(coco_root / "person.json", coco_root / "pictures")
    assert reader.ids == ["a.png#11", "a.png#14"]  # no crowd, none without labels, no cat
    assert reader.skeleton.keypoints == ("nose", "left_eye", "right_eye")
    assert reader.skeleton.edges == ((0, 1), (0, 2))
    assert reader.skeleton.flip_pairs == ((1, 2),)


def _changed(root, change):
    path = root / "person.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def _coco(root, change):
    path = _changed(root, change)
    return lambda: COCOReader(path, root / "pictures")[0]


def _annotation(**values):
    return lambda content: content["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_annotation(keypoints=[1, 2, 2]), r"person.json \(annotation 11\): 3 numbers .* 9"),
        (_annotation(keypoints=[1, 2, 3] * 3), "keypoint 0 has visibility 3"),
        (_annotation(keypoints=[float("nan"), 2, 2] * 3), r"\(annotation 11\): keypoint 0 is at"),
        (_annotation(bbox=[1, 2, 0, 5]), r"\(annotation 11\): bbox is \[1, 2, 0, 5\]"),
        (_annotation(bbox=None), r"\(annotation 11\): bbox is None"),
        (_annotation(image_id=99), "image_id 99 is no picture"),
        (_annotation(id=14), "the same id"),
        (lambda c: c["images"][0].update(width=50), "says 50x80"),
        (lambda c: c["images"][0].update(file_name="b.png"), r"b.png \(record b.png#11\): no such"),
        (lambda c: c["categories"][0].update(skeleton=[[1, 9]]), "skeleton does not fit"),
        (lambda c: c["categories"][0].update(keypoints=7), "not a list of names"),
        (lambda c: c.pop("images"), "no list of objects 'images'"),
        (
            lambda c: c["categories"].append({"id": 3, "name": "dog", "keypoints": ["tail"]}),
            "2 categories have keypoints, unlike ones; name one; there are: person, dog",
        ),
    ],
)
def test_coco_errors(coco_root, change, message):
    with pytest.raises(DataError, match=message):
        _coco(coco_root, change)()


def test_coco_category_by_name_and_missing_files(coco_root):
    path = coco_root / "person.json"
    _coco(coco_root, lambda c: c["categories"].append({"id": 3, "name": "dog", "keypoints": ["t"]}))
    assert len(COCOReader(path, coco_root / "pictures", category="person")) == 2
    with pytest.raises(DataError, match="no category 'cow'"):
        COCOReader(path, coco_root / "pictures", category="cow")
    with pytest.raises(DataError, match="coco-person: no records"):
        COCOReader(path, coco_root / "pictures", category="dog")
    with pytest.raises(DataError, match="no such folder"):
        COCOReader(path, coco_root / "photos")
    path.write_text("{")
    with pytest.raises(DataError, match=r"person.json: not JSON"):
        COCOReader(path, coco_root / "pictures")


def test_categories_with_the_same_keypoints_are_read_together(coco_root):
    """Species, for example. Others have to be named."""

    def add(content):
        names = content["categories"][0]["keypoints"]
        content["categories"].append({"id": 3, "name": "dog", "keypoints": names})
        content["annotations"][0]["category_id"] = 3

    _coco(coco_root, add)
    place = f"coco:{coco_root}/person.json?images_root={coco_root}/pictures"
    assert open_data(place).ids == ["a.png#11", "a.png#14"]
    assert open_data(f"{place}&category=dog").ids == ["a.png#11"]
    assert open_data(f"{place}&category=dog").options["category"] == "dog"
    assert open_data(f"{place}&category=person,dog").ids == ["a.png#11", "a.png#14"]
    assert open_data(place).options["category"] == ["person", "dog"]


def test_a_skeleton_of_ones_own_for_coco(coco_root):
    own = Skeleton("face", ("n", "l", "r"), ((0, 1),), ((1, 2),))
    (coco_root / "face.json").write_text(json.dumps(own.to_dict()))
    place = f"coco:{coco_root}/person.json?images_root={coco_root}/pictures&skeleton={coco_root}"
    assert open_data(f"{place}/face.json").skeleton == own
    (coco_root / "face.json").write_text(json.dumps(Skeleton("two", ("l", "r")).to_dict()))
    with pytest.raises(DataError, match=r"face.json: 2 keypoints; those of .*person.json are 3: "):
        open_data(f"{place}/face.json")
    with pytest.raises(DataError, match=r"nose.json: no such file"):
        open_data(f"{place}/nose.json")


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("left_eye", "right_eye", "tail_1"), ((0, 1),)),
        (("left_eye_1", "right_eye_1", "left_eye_2", "right_eye_2"), ((0, 1), (2, 3))),
        (("left_eye", "right_eye", "jaw_0", "jaw_1"), ()),
    ],
)
def test_names_that_differ_in_numbers_do_not_say_how_a_set_mirrors(coco_root, names, pairs):
    def change(content):
        content["categories"][0] |= {"keypoints": list(names), "skeleton": []}
        for annotation in content["annotations"]:
            annotation["keypoints"] = [30, 15, 2] * len(names)

    skeleton = COCOReader(_changed(coco_root, change), coco_root / "pictures").skeleton
    assert skeleton.flip_pairs == pairs
    assert knows_sides(skeleton) == bool(pairs)


def test_labels_as_shares_in_coco(coco_root):
    def change(content):
        for annotation in content["annotations"][:-1]:
            annotation["keypoints"] = [0.25, 0.5, 2] * 3

    with pytest.raises(DataError, match=r"person.json: all labelled keypoints lie between 0 and 1"):
        _coco(coco_root, change)()


def test_boxes_outside_the_picture(coco_root, folder_root):
    message = r"a.png#11\): box \[400, 10, 40, 20\] lies outside the picture, .* 100x80"
    with pytest.raises(DataError, match=message):
        _coco(coco_root, _annotation(bbox=[400, 10, 40, 20]))()
    root = _write(folder_root / "x", {"keypoints": [[1, 2]], "box": [5, 30, 4, 4]})
    with pytest.raises(DataError, match=r"jsonl:1 \(record p.png\): box .* lies outside the pict"):
        FolderReader(root)[0]


def test_boxes_that_are_corners(tmp_path):
    """Where all keypoints lie close between them."""
    keypoints = [[40, 30], [44, 38], [42, 33]]
    corners = [{"keypoints": keypoints, "box": [39, 29, 46, 39]} for _ in range(3)]
    with pytest.raises(DataError, match=r"index.jsonl: .* these look like corners x1, y1, x2, y2"):
        FolderReader(_write(tmp_path / "a", *corners))
    few = FolderReader(_write(tmp_path / "a", *corners[:2]))
    assert len(few) == 2
    for box in ([30, 20, 31, 30], [2, 2, 60, 60], [39, 29, 8, 11]):
        right = [{"keypoints": keypoints, "box": box}] * 3
        assert len(FolderReader(_write(tmp_path / "b", *right))) == 3
    mixed = [*corners, *[{"keypoints": keypoints, "box": [39, 29, 8, 11]}]]
    assert len(FolderReader(_write(tmp_path / "c", *mixed))) == 4


def test_coco_counts_bones_from_one(coco_root):
    with pytest.raises(DataError, match=r"fit \(it has \[0, 1\]; COCO counts from 1\)"):
        _coco(coco_root, lambda c: c["categories"][0].update(skeleton=[[1, 2], [0, 1]]))()


def test_sizes_that_are_text(coco_root):
    assert _coco(coco_root, lambda c: c["images"][0].update(width="100", height="80"))()


def test_folder_selections_and_ids(folder_root):
    assert FolderReader(folder_root).ids == ["a/1.png", "b/2.png", "b/2.png#2"]
    assert FolderReader(folder_root, "train").ids == ["a/1.png", "b/2.png"]
    assert FolderReader(folder_root, subset="b").ids == ["b/2.png", "b/2.png#2"]
    assert FolderReader(folder_root, subset=["a", "b"], groups=[1]).ids == ["a/1.png"]
    assert [r.group for r in FolderReader(folder_root, "train")] == ["1", "2"]
    with pytest.raises(DataError, match=r"no record with split 'test'; .*splits train, val; "):
        FolderReader(folder_root, "test")


def test_folder_unlabelled_keypoints_are_zero_and_wide_pictures_filled_up(folder_root):
    record = FolderReader(folder_root, groups="2", size=100)[0]
    # 100x50 becomes 100x100 with 25 black rows above and below.
    np.testing.assert_array_equal(
        record.keypoints, [[40, 45, 2], [10, 35, 1], [12, 39, 2], [0, 0, 0]]
    )
    assert not record.image[:25].any()
    assert (record.image[25:75].max(axis=2) > 0).all()


def _write(root, *entries):
    root.mkdir(exist_ok=True)
    save(root / "p.png", grey_picture(20, 20))
    lines = (e if isinstance(e, str) else json.dumps({"file": "p.png"} | e) for e in entries)
    (root / "index.jsonl").write_text("\n".join(lines))
    return root


def test_folder_visibility_as_a_flag_or_as_coco_has_it(tmp_path):
    flags = _write(tmp_path / "x", {"keypoints": [[1, 2, 1], [3, 4, 0]]})
    np.testing.assert_array_equal(FolderReader(flags)[0].keypoints[:, 2], [2, 0])
    reader = FolderReader(flags, visibility="coco")
    np.testing.assert_array_equal(reader[0].keypoints[:, 2], [1, 0])
    pairs = _write(tmp_path / "y", {"keypoints": [[1, 2], [3, 4]]})
    np.testing.assert_array_equal(FolderReader(pairs)[0].keypoints[:, 2], [2, 2])


def test_a_keypoint_without_v_does_not_make_the_others_hidden(tmp_path):
    pair, flag = {"keypoints": [[1, 2], [3, 4]]}, {"keypoints": [[1, 2, 1], [3, 4, 0]]}
    reader = FolderReader(_write(tmp_path / "x", pair, flag))
    assert [r.keypoints[:, 2].tolist() for r in reader] == [[2, 2], [2, 0]]
    reader = FolderReader(_write(tmp_path / "y", pair, flag, {"keypoints": [[1, 2, 2]] * 2}))
    assert [r.keypoints[:, 2].tolist() for r in reader] == [[2, 2], [1, 0], [2, 2]]


def test_lines_of_one_file_share_one_group(tmp_path):
    point = {"keypoints": [[1, 2]]}
    root = _write(tmp_path, point, point | {"group": "p1", "split": "val"}, point | {"group": "p1"})
    assert [r.group for r in FolderReader(root)] == ["p1"] * 3
    assert [r.group for r in FolderReader(root, "train")] == ["p1"] * 2
    assert len(FolderReader(root, groups="p1")) == 3
    root = _write(tmp_path, point, point | {"group": "p1"}, point | {"group": 2})
    message = (
        r"index.jsonl:3 \(record p.png\): group is '2', but another line of this file has 'p1'"
    )
    with pytest.raises(DataError, match=message):
        FolderReader(root, "train")


def test_annotations_of_one_file_share_one_group(coco_root):
    def twice(content):
        content["images"].append(content["images"][0] | {"id": 70})
        next(a for a in content["annotations"] if a["id"] == 14).update(image_id=70)

    _coco(coco_root, twice)
    reader = COCOReader(coco_root / "person.json", coco_root / "pictures")
    assert [(r.id, r.group) for r in reader] == [
        ("a.png#11", "file:a.png"),
        ("a.png#14", "file:a.png"),
    ]


@pytest.mark.parametrize("number", [0, None, 3])
def test_labels_count_whatever_num_keypoints_says(coco_root, number):
    _coco(coco_root, _annotation(num_keypoints=number))
    reader = COCOReader(coco_root / "person.json", coco_root / "pictures")
    assert reader.ids == ["a.png#11", "a.png#14"]


@pytest.mark.parametrize("values", [[0] * 9, [], None])
def test_annotations_without_a_label_are_left_out(coco_root, values):
    _coco(coco_root, _annotation(num_keypoints=0, keypoints=values))
    reader = COCOReader(coco_root / "person.json", coco_root / "pictures")
    assert reader.ids == ["a.png#14"]


def test_folder_skeletons(tmp_path):
    root = _write(tmp_path, {"keypoints": [[1, 2]] * 21})
    assert FolderReader(root).skeleton is HAND_21
    root = _write(tmp_path, {"keypoints": [[1, 2]] * 2})
    assert FolderReader(root).skeleton == Skeleton.generic(2)
    own = Skeleton("ends", ("left", "right"), ((0, 1),), ((0, 1),))
    (root / "skeleton.json").write_text(json.dumps(own.to_dict()))
    assert FolderReader(root).skeleton == own
    for text, message in (
        ("[1]", "not a skeleton"),
        ('{"name": "a"}', "not a skeleton"),
        ('{"name": "a", "keypoints": ["b"], "edges": [[0, 5]]}', "edges has the pair"),
        ('{"name": "a", "keypoints": ["b"]}', r"index.jsonl:1 \(record p.png\): 2 keypoints, ex"),
    ):
        (root / "skeleton.json").write_text(text)
        with pytest.raises(DataError, match=message):
            FolderReader(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"index.jsonl:2: not a line of JSON"),
        ("[]", r"index.jsonl:2: expected an object with a text 'file'"),
        ({"keypoints": 5}, r"index.jsonl:2 \(record p.png\): expected a list"),
        ({"keypoints": [[1, 2]]}, r"index.jsonl:2 \(record p.png\): 1 keypoints, expected 2"),
        ({"keypoints": [[1, 2], [1]]}, r"index.jsonl:2 .*rows of x, y, visibility"),
        ({"keypoints": [[1, None, 2], [1, 2, 2]]}, r"index.jsonl:2 .*keypoint 0 is at"),
        ({"keypoints": [[1, float("inf")], [1, 2]]}, r"index.jsonl:2 .*keypoint 0 is at"),
        ({"keypoints": [[1, 2, 1.5], [1, 2, 2]]}, r"index.jsonl:2 .*visibility 1.5"),
        ({"keypoints": [[1, 2], [1, 2]], "box": [1, 2]}, r"index.jsonl:2 .*box is \[1, 2\]"),
        ({"keypoints": []}, r"index.jsonl:2 .*x, y, v; \[0, 0, 0\] is one without a label"),
    ],
)
def test_folder_errors(tmp_path, line, message):
    root = _write(tmp_path, {"keypoints": [[1, 2, 2], [3, 4, 2]]}, line)
    with pytest.raises(DataError, match=message):
        FolderReader(root)


def test_folder_missing_things(tmp_path):
    with pytest.raises(DataError, match=r"index.jsonl: no such file"):
        FolderReader(tmp_path)
    (tmp_path / "index.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match=r"index.jsonl: no records"):
        FolderReader(tmp_path)
    root = _write(tmp_path, {"keypoints": [[1, 2]]})
    with pytest.raises(DataError, match="size is 4"):
        FolderReader(root, size=4)
    with pytest.raises(DataError, match="visibility is 'maybe'"):
        FolderReader(root, visibility="maybe")
    (root / "p.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"p.png \(record p.png\): cannot be read as a picture"):
        FolderReader(root)[0]


def test_a_line_without_a_split_is_for_training(tmp_path):
    lines = [{"keypoints": [[1, 2]]}, {"keypoints": [[3, 4]], "split": "test"}]
    root = _write(tmp_path / "some", *lines, {"keypoints": [[5, 6]], "split": None})
    for split, expected in (("train", [1, 5]), ("test", [3])):
        assert [r.keypoints[0, 0] for r in FolderReader(root, split, size=20)] == expected
    root = _write(tmp_path / "none", {"keypoints": [[1, 2]]})
    assert len(FolderReader(root, "train")) == 1
    with pytest.raises(MissingPartError, match="no record with split 'val'; it has the splits tra"):
        FolderReader(root, "val")
    root = _write(tmp_path / "other", *({"keypoints": [[1, 2]], "split": s} for s in ("a", 7)))
    assert len(FolderReader(root, "7")) == 1
    with pytest.raises(MissingPartError, match=r"no record with split 'train'; .* splits 7, a;"):
        FolderReader(root, "train")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *((key, "box") for key in ("bbox", "Box", "boundingBox", "bboxes")),
        ("spilt", "split"),
        ("groups", "group"),
        ("keypoint", "keypoints"),
    ],
)
def test_a_misspelt_key_is_refused(tmp_path, key, meant):
    line = {"keypoints": [[1, 2]], key: [1, 2, 3, 4]}
    if meant == "keypoints":
        del line["keypoints"]
    root = _write(tmp_path, {"keypoints": [[1, 2]]}, line)
    message = rf"index.jsonl:2 \(record p.png\): no key '{key}'; did you mean '{meant}'\?"
    with pytest.raises(DataError, match=message):
        FolderReader(root)


def test_other_keys_are_the_users_own(tmp_path):
    own = {"labels": "by hand", "licence": "MIT", "spread": [1], "frame": 3, "id": 4, "score": 1}
    both = {"keypoints_raw": [], "bbox": [0, 0, 1, 1], "box": [5, 5, 10, 10]}
    reader = FolderReader(
        _write(tmp_path, {"keypoints": [[9, 9]]} | own | both), padding=1, size=10
    )
    np.testing.assert_array_equal(reader[0].keypoints, [[4, 4, 2]])


def test_labels_that_are_shares_of_the_picture_are_refused(tmp_path):
    shares = {"keypoints": [[0.25, 0.5, 1], [1, 0, 1], [9, 9, 0]]}
    root = _write(tmp_path / "x", shares, {"keypoints": [[0, 0, 0]] * 3})
    with pytest.raises(DataError, match=r"between 0 and 1, but .*p.png has 20x20 pixels; expected"):
        FolderReader(root)[1]
    pixels = [{"keypoints": [[5, 0.5, 1]] * 3}], [{"keypoints": [[0, 1, 1]] * 3}]
    for others in ([shares, *pixels[0]], pixels[1]):  # one is elsewhere; whole numbers are pixels
        assert len(list(FolderReader(_write(tmp_path / "x", *others)))) == len(others)
    root = _write(tmp_path / "x", shares)
    save(root / "p.png", np.zeros((4, 4, 3), np.uint8))
    assert len(list(FolderReader(root))) == 1


def test_files_from_windows_begin_with_a_byte_order_mark(tmp_path, coco_root):
    root = _write(tmp_path / "x", {"keypoints": [[1, 2]] * 2}, {"keypoints": [[1, 2]] * 2})
    own = Skeleton("ends", ("left", "right"), ((0, 1),), ((0, 1),))
    (root / "skeleton.json").write_text(json.dumps(own.to_dict()))
    for path in (root / "index.jsonl", root / "skeleton.json", coco_root / "person.json"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    reader = FolderReader(root)
    assert (len(reader), reader.skeleton) == (2, own)
    assert len(COCOReader(coco_root / "person.json", coco_root / "pictures")) == 2
    path = root / "index.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"))
    assert len(FolderReader(root)) == 2
