"""What `keras-shr report` writes: figures that open, a page that needs nothing else."""

import re

import numpy as np
import pytest
from PIL import Image
from report_run import make_run

from keras_shr.cli import main
from keras_shr.errors import DataError
from keras_shr.reproduction.report import (
    architecture_figures,
    beyond_figures,
    example_figures,
    method_figures,
    stability_figures,
    surface_figures,
    time_figures,
    write,
)
from keras_shr.reproduction.report.drawing import Figure
from keras_shr.reproduction.report.results import Results

FIGURES = (
    *(f"fig{i}" for i in range(1, 11)),
    *("cost", "theorem3", "mpc", "extra", "temporal", "curves"),
)
TABLES = (
    *("table1", "table2", "table3", "fig8_table"),
    *("robustness", "theorem3", "cost", "temporal"),
)
DRAWN_FROM_RESULTS = (
    *(stability_figures.fig6, stability_figures.fig7, stability_figures.fig9),
    *(architecture_figures.fig8, surface_figures.fig10),
    *(example_figures.fig1, example_figures.fig5),
    *(beyond_figures.cost, beyond_figures.theorem3, beyond_figures.mpc),
    *(beyond_figures.extra, time_figures.temporal, time_figures.curves),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with one figure drawn, the others left out for their time."""
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    absent = Figure("fig2", "Figure 2. The pipeline", reason="left out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            write, "_figures", lambda results, place: [absent, write.fig7(results, place)]
        )
        patch.setattr(write, "_more", lambda results, place: [])
        assert main(["report", str(folder)]) == 0
    return folder / "report"


def test_tables_and_claims_are_there(report):
    assert {path.stem for path in (report / "tables").glob("*.csv")} == set(TABLES)
    markdown = (report / "tables.md").read_text()
    assert "| AT | 81.2 | 79.3 | not run |" in markdown
    assert markdown.count("**") == 2 * (len(TABLES) + 1)
    assert (report / "claims.csv").read_text().count("\n") > 20
    assert (report / "fig8.csv").is_file()


def check_page(text, pictures):
    assert text.count("data:image/png;base64,") == pictures
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", text)
    links = set(re.findall(r"href='#([a-z]+)'", text))
    assert links <= set(re.findall(r"id=([a-z0-9_]+)", text))


def test_page_needs_nothing_else(report):
    page = (report / "report.html").read_text()
    check_page(page, 1)
    assert "Not run: left out." in page
    assert "✔ supported" in page
    assert "1,000 steps of 126 images, 128 px" in page


@pytest.mark.slow
def test_everything_is_drawn(tmp_path):
    make_run(tmp_path, data=("rendered", "real"))
    output = tmp_path / "out"
    assert main(["report", str(tmp_path), "--output", str(output)]) == 0
    for key in FIGURES:
        with Image.open(output / "figures" / f"{key}.png") as picture:
            picture.load()
            assert min(picture.size) > 300
        text = (output / "figures" / f"{key}.svg").read_text()
        assert text.rstrip().endswith("</svg>")
    assert len(list((output / "figures").iterdir())) == 2 * len(FIGURES)
    check_page((output / "report.html").read_text(), len(FIGURES))


def test_a_later_report_removes_pictures_that_it_has_no_data_for(tmp_path):
    old = tmp_path / "fig10.svg"
    old.write_text("old")
    write._remove_old(tmp_path, [Figure("fig10", "Figure 10", reason="no file")])
    assert not old.exists()


def test_the_same_run_gives_the_same_files(report, tmp_path):
    results = Results(report.parent)
    stability_figures.fig7(results, tmp_path)
    for kind in ("png", "svg"):
        first = (report / "figures" / f"fig7.{kind}").read_bytes()
        assert (tmp_path / f"fig7.{kind}").read_bytes() == first


def test_nothing_run_means_nothing_drawn(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    for name in ("scores.csv", "curves.csv", "times.csv"):
        (tmp_path / name).unlink()
    results = Results(tmp_path)
    for draw in DRAWN_FROM_RESULTS:
        figure = draw(results, tmp_path / "figures")
        assert figure.path is None
        assert figure.reason
    assert not (tmp_path / "figures").exists()


def test_peaks_of_the_three_cases():
    heights = [_peaks(case) for case in method_figures.CASES]
    narrow, far, equal = heights
    # The narrow peak: half the width, so half the weight; symmetric: the square of that.
    assert narrow["row_column"] == pytest.approx([1, 0.5], abs=0.01)
    assert narrow["symmetric"] == pytest.approx([1, 0.25], abs=0.01)
    # Theorem 1's factor: exp(-(27 - 14)^2 / (4 * 4^2)).
    assert far["row_column"] == pytest.approx([np.exp(-169 / 64), 1], abs=0.005)
    assert far["symmetric"] == pytest.approx([1, 1], abs=0.01)
    answer = method_figures.correlate(method_figures.two_peaks(method_figures.CASES[2]))
    assert answer[14, 14] == pytest.approx(1, abs=1e-3)
    assert answer[46, 46] == pytest.approx(1, abs=1e-3)
    assert equal["row_column"] == pytest.approx([0, 0], abs=0.01)


def _peaks(case):
    heatmap = method_figures.two_peaks(case)
    return {
        variant: [
            float(method_figures.correlate(heatmap, variant)[row, column])
            for row, column, _ in case[1:]
        ]
        for variant in ("row_column", "symmetric")
    }


def test_a_table_in_another_encoding_is_named(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    path = tmp_path / "curves.csv"
    path.write_bytes(path.read_bytes() + "# gemessen für uns\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"curves.csv: not UTF-8 at byte \d+; save it as UTF-8"):
        Results(tmp_path)


def test_faulty_surface_and_peaks_are_named(report, tmp_path):
    make_run(tmp_path, seeds=1)
    path = tmp_path / "surfaces.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    np.savez(tmp_path / "peaks.npz", methods=np.array(["rcc"]), heatmaps=np.zeros((2, 3, 8, 8)))
    results = Results(tmp_path)
    with pytest.raises(DataError, match="pg, rendered has 80 points, expected a full grid"):
        surface_figures.fig10(results, tmp_path)
    with pytest.raises(DataError, match="heatmaps has shape"):
        example_figures.fig5(results, tmp_path)
