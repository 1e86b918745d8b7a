import pytest

from keras_shr.cli import main
from keras_shr.cli.evaluate import kinds, named, part
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import ALL_PERTURBATIONS, EVALUATION_PERTURBATIONS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "a.keras", "data", "--output", "x"], "a.keras"),
        (["fit", "--output", "x"], "no data set"),
        (["fit", "missing.py", "--output", "x"], "missing.py"),
        (["fit", "--data", "nowhere", "--output", "x", "--set", "sed=1"], "sed"),
        (["prepare", "folder", "nowhere", "x"], "nowhere"),
        (["prepare", "rendered", "many", "x"], "many"),
        (["prepare", "rendered", "5", "x", "--option", "seed"], "NAME=VALUE"),
    ],
)
def test_a_users_error_is_one_line_and_leaves_nothing(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("keras-shr ")
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_models_are_named_after_files_or_folders():
    found = named(["runs/a/model.keras", "runs/b/best.keras", "c.keras", "d=e/model.keras"])
    assert list(found) == ["a", "b", "c", "d"]
    with pytest.raises(KerasShrError, match="NAME=FILE"):
        named(["x/model.keras", "y=1.keras", "y=2.keras"])


def test_kinds():
    assert kinds("all") == ALL_PERTURBATIONS
    assert kinds("unseen") == EVALUATION_PERTURBATIONS
    assert kinds("snow,frost") == ("snow", "frost")
    assert kinds(" contrast, snow ") == ("contrast", "snow")
    assert kinds("unseen ") == EVALUATION_PERTURBATIONS


def test_part_of_an_evaluation():
    assert part("2/4") == (2, 4)
    assert part(None) is None
    for wrong in ("2", "2/", "a/b", "-1/2"):
        with pytest.raises(KerasShrError, match="--part is"):
            part(wrong)
