"""The report's arithmetic: paper's numbers, means, intervals, verdicts, on values known by hand."""

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from report_run import METHODS, make_run, write_csv

from keras_shr.errors import DataError
from keras_shr.methods import METHODS as TRAINING_METHODS
from keras_shr.reproduction import paper
from keras_shr.reproduction.report import page
from keras_shr.reproduction.report.beyond_tables import costs, how_measured, robustness_table
from keras_shr.reproduction.report.claim_list import CLAIMS, Claim, Part
from keras_shr.reproduction.report.claims import FIELDS, claims_csv, judge, judge_all
from keras_shr.reproduction.report.drawing import convergence_note
from keras_shr.reproduction.report.methods import EXPLANATIONS, look
from keras_shr.reproduction.report.methods import METHODS as LOOKS
from keras_shr.reproduction.report.paper_tables import fig8_csv, table1, table2, table3
from keras_shr.reproduction.report.reading import read_rows
from keras_shr.reproduction.report.results import Results
from keras_shr.reproduction.report.statistics import Estimate, Spread, compare, pooled


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    return Results(folder)


def find(text, **wanted):
    rows = csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#"))
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def test_paper_numbers():
    assert len(paper.NUMBERS) == 8 + 18 + 24
    assert paper.number("Table 1", "stb", "hdhr", "D_(1)(2)") == 0.203
    assert paper.number("Table 2", "stb", "lip") == 81.5
    assert paper.number("Table 3", "rhd", "paper", kind="speckle_noise") == 66.99
    assert paper.number("Table 3", "rhd", "lip") is None
    assert paper.unseen_mean("rhd", "baseline") == pytest.approx(60.556)


def test_estimate_and_pooled_spread_by_hand():
    one = Estimate({"0": (1.0, 0.9, 1.1), "1": (2.0, 1.9, 2.1), "2": (3.0, 2.9, 3.1)})
    two = Estimate({"0": (4.0, 3.8, 4.2), "1": (6.0, 5.8, 6.2)})
    single = Estimate({"0": (9.0, 8.0, 10.0)})
    assert (one.value, one.spread, one.low) == (2.0, 1.0, pytest.approx(1.9))
    assert math.isnan(single.spread)
    assert single.bars() == (1.0, 1.0)
    # Squares around the means: 1 + 0 + 1 and 1 + 1, with 2 and 1 degrees of freedom.
    spread = pooled([one, two, single], np.asarray)
    assert spread.freedom == 3
    assert spread.value == pytest.approx(math.sqrt(4 / 3))
    found = compare(two, one, "difference", spread)
    assert found.value == 3.0
    assert found.covers == "seeds and pictures"
    # t(.975, 3) = 3.1824; pictures: half-widths .2 and .1.
    seeds = 3.1824 * math.sqrt(4 / 3) * math.sqrt(1 / 2 + 1 / 3)
    assert found.high - 3 == pytest.approx(math.sqrt(seeds**2 + 0.2**2 + 0.1**2), rel=1e-4)


def test_ratio_of_single_seeds_has_the_pictures_interval():
    one = Estimate({"0": (50.0, 40.0, 62.5)})
    other = Estimate({"0": (100.0, 80.0, 125.0)})
    found = compare(one, other, "ratio", Spread(math.nan, 0))
    assert found.covers == "pictures"
    assert found.value == pytest.approx(0.5)
    half = math.log(1.25) * math.sqrt(2)  # on logarithms both intervals are ± log 1.25
    assert found.high == pytest.approx(0.5 * math.exp(half))
    assert found.low == pytest.approx(0.5 * math.exp(-half))


def test_paired_draws_by_hand():
    one = Estimate({"0": (3.0, 1.0, 5.0)}, {"0": np.array([2.0, 3.0, 4.0])})
    # Differences in the three draws: 1, 2 and 3, with a standard deviation of 1.
    other = Estimate({"0": (1.0, 0.0, 2.0)}, {"0": np.array([1.0, 1.0, 1.0])})
    found = compare(one, other, "difference", Spread(math.nan, 0))
    assert found.covers == "paired pictures"
    assert (found.low, found.high) == pytest.approx((2 - 1.959964, 2 + 1.959964))
    # Logarithms of the ratios: 0, log 2 and 2 log 2, with a standard deviation of log 2.
    doubled = Estimate({"0": (2.0, 1.0, 4.0)}, {"0": np.array([1.0, 2.0, 4.0])})
    found = compare(doubled, other, "ratio", Spread(math.nan, 0))
    assert found.high == pytest.approx(2 * 2**1.959964)
    # Two seeds see the same pictures: their mean in each draw is 2, 2 and 5.
    pair = Estimate(
        {"0": (3.0, 1.0, 5.0), "1": (3.0, 1.0, 5.0)},
        {"0": np.array([2.0, 3.0, 4.0]), "1": np.array([2.0, 1.0, 6.0])},
    )
    found = compare(pair, other, "difference", Spread(math.nan, 0))
    assert found.high == pytest.approx(2 + 1.959964 * math.sqrt(3))
    # A seed without draws, or a draw without a value: back to the two intervals.
    del pair.draws["1"]
    assert compare(pair, other, "difference", Spread(math.nan, 0)).covers == "pictures"
    one.draws["0"][1] = math.nan
    assert compare(one, other, "difference", Spread(math.nan, 0)).covers == "pictures"


_VALUES = st.floats(-1, 1, width=32)


@given(arrays.arrays("float64", (3, 20), elements=_VALUES))
def test_luck_with_pictures_that_all_methods_share_does_not_count(values):
    mine, theirs, shared = values
    ends = (0.0, -1.0, 1.0)

    def interval(luck):
        one, other = (Estimate({"0": ends}, {"0": own + luck}) for own in (mine, theirs))
        return compare(one, other, "difference", Spread(math.nan, 0))

    alone, together = interval(0.0), interval(10 * shared)
    assert together.high == pytest.approx(alone.high, abs=1e-9)
    same = Estimate({"0": ends}, {"0": shared})
    assert compare(same, same, "difference", Spread(math.nan, 0)).high == 0


def test_tables_by_hand(results):
    first = {row[0]: [cell.text for cell in row[1:]] for row in table1(results).rows}
    assert first["D_64 ↓ baseline"] == ["954.67", "820.22", "1000 ± 4"]
    assert first["D_64 ↓ RCC"] == ["870.67", "749.68", "850 ± 3"]
    second = {row[0]: [cell.text for cell in row[1:]] for row in table2(results).rows}
    assert second["paper's method"] == ["80.3", "80.0", "78.5 ± 0.4"]
    assert second["AT"] == ["81.2", "79.3", "not run"]
    assert second["keras_shr default"] == ["–", "–", "79.0 ± 0.4"]
    third = {row[0]: [cell.text for cell in row[1:]] for row in table3(results).rows}
    assert third["paper, RHD: baseline"][-1] == "60.56"
    # The kinds lie .02 apart round .65; the paper's columns are in the same order.
    assert third["ours, rendered hands: paper's method"] == [
        *("78.5 ± 0.4", "61.0 ± 0.4", "63.0 ± 0.4", "65.0 ± 0.4", "67.0 ± 0.4", "69.0 ± 0.4"),
        "65.0 ± 0.4",
    ]
    assert table2(results).seeds == "3 seeds"
    assert "3 seeds in every cell that was run" in table2(results).markdown()


def test_table_csv_says_where_each_number_comes_from(results):
    text = table2(results).csv()
    (quoted,) = find(text, source="paper", method="pg", data="stb")
    assert (quoted["value"], quoted["unit"]) == ("80.1", "%")
    (ours,) = find(text, source="ours", method="pg", data="rendered")
    assert float(ours["value"]) == pytest.approx(78.8)
    assert (float(ours["spread"]), ours["seeds"], ours["status"]) == (0.4, "3", "run")
    (absent,) = find(text, source="ours", method="at")
    assert (absent["value"], absent["seeds"], absent["status"]) == ("", "0", "not run")


def test_fig8_table(results):
    text = fig8_csv(results)
    head = "architecture,method,auc_clean,auc_unseen,auc_seen,R,RUC,data"
    assert text.startswith(head)
    (row,) = find(text, architecture="resnet50", method="paper")
    assert float(row["auc_clean"]) == pytest.approx(0.795)
    assert float(row["RUC"]) == pytest.approx(0.77)
    (row,) = find(text, architecture="vgg19_bn", method="ours")
    assert (row["auc_clean"], row["status"]) == ("", "not run")


def test_mpc_and_rpc(results):
    # Five unseen kinds round .50 and three seen kinds round .65, clean .80.
    mpc = (5 * 0.50 + 3 * 0.65) / 8
    assert results.estimate("baseline", "rendered", "mPC", "all").value == pytest.approx(mpc)
    rpc = np.mean([(mpc + s) / (0.8 + s) for s in (0, 0.004, -0.004)])
    assert results.estimate("baseline", "rendered", "rPC", "all").value == pytest.approx(rpc)
    row = next(row for row in robustness_table(results).rows if row[0] == "baseline")
    assert [cell.text for cell in row[1:4]] == ["80.0 ± 0.4", "55.6 ± 0.4", "69.5 ± 0.2"]


def test_costs_are_relative_to_the_baseline_of_the_same_device(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    text = (tmp_path / "times.csv").read_text().splitlines()
    slow = [line.replace("1 x GPU", "CPU").replace("20.0", "900") for line in text if "rcc" in line]
    (tmp_path / "times.csv").write_text("\n".join(text + slow) + "\n")
    found = costs(Results(tmp_path), "rendered")
    assert found["baseline"].ratio == 1
    assert found["rcc"].milliseconds == pytest.approx(24)
    assert found["rcc"].ratio == pytest.approx(1.2)
    assert found["rcc"].device == "jax, 1 x GPU"


def test_costs_csv_goes_before_the_times_of_the_training(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    assert "machine may have been shared" in how_measured(Results(tmp_path))
    row = {"backend": "jax", "machine": "CPU, 1 core", "seconds_per_step": 0.2, "ratio": 1.7}
    rows = [row | {"method": m, "cpu_ratio": r} for m, r in (("baseline", 1.0), ("rcc", 1.1))]
    write_csv(tmp_path / "costs.csv", list(rows[0]), rows)
    results = Results(tmp_path)
    found = costs(results, "rendered")
    assert list(found) == ["baseline", "rcc"]
    assert (found["rcc"].milliseconds, found["rcc"].ratio) == (200, 1.1)
    assert found["rcc"].device == "jax, CPU, 1 core"
    assert "ratio of CPU time" in how_measured(results)
    # CPU time says nothing of what another device does.
    rows = [row | {"machine": "1 x GPU"} for row in rows]
    write_csv(tmp_path / "costs.csv", list(rows[0]), rows)
    assert costs(Results(tmp_path), "rendered")["rcc"].ratio == 1.7


def test_every_method_is_explained():
    assert set(EXPLANATIONS) == set(TRAINING_METHODS)


def test_a_name_has_a_dagger_where_it_had_not_converged(tmp_path):
    make_run(tmp_path, seeds=1, extras=False, gain=0.006)
    results = Results(tmp_path)
    assert results.name("paper", "rendered") == "paper's method †"
    assert results.name("at") == "AT"  # not run
    assert convergence_note(results, ["at"]) == ""
    assert "† had not converged" in convergence_note(results, ["at", "paper"])


def test_what_speaks_against_all_claims_is_said_once(tmp_path):
    make_run(tmp_path, seeds=1, extras=False, gain=0.006)
    results = Results(tmp_path)
    rows = judge_all(results)
    shared, left = page._said_once(rows)
    assert shared.count("one seed: the spread of seeds is unknown") == 1
    assert shared.count("paper&#x27;s method: validation AUC still gained") == 1
    run = [row for row in left if row["verdict"] != "not run"]
    assert len(run) > 20
    assert not any("spread of seeds" in row["why"] or "gained" in row["why"] for row in run)
    assert any("paper's method †" in row["why"] for row in run)
    assert "spread of seeds" in rows[0]["why"]  # claims.csv keeps the whole


def claim(one, other, metric="auc", group="unseen", threshold=0.0):
    return Claim(
        "c", "paper", "Fig", "", "difference", 1, (Part(one, other, metric, group),), threshold, 100
    )


def test_verdicts(results):
    found = judge(results, claim("paper", "baseline"), "rendered")
    assert found["verdict"] == "supported"
    assert found["ours"] == pytest.approx(15)
    assert found["low"] < 15 < found["high"]
    assert judge(results, claim("baseline", "paper"), "rendered")["verdict"] == "not supported"
    close = judge(results, claim("augmix", "augmix_no_jsd"), "rendered")
    assert (close["verdict"], close["direction"]) == ("inconclusive", "as claimed")
    assert judge(results, claim("at", "baseline"), "rendered")["verdict"] == "not run"
    parts = tuple(Part(m, "baseline", "RUC", "unseen", words=m) for m in ("paper", "at"))
    partial = Claim("c", "paper", "", "", "difference", 1, parts, 0, 100)
    found = judge(results, partial, "rendered")
    assert (found["verdict"], found["parts_run"]) == ("inconclusive", "1 of 2")
    assert "not every part was run" in found["why"]


def test_a_claim_of_several_parts_fails_with_one_of_them(results):
    parts = tuple(Part("paper", m, "RUC", "unseen", words=m) for m in ("baseline", "ours"))
    both = Claim("c", "paper", "", "", "difference", 1, parts, 0, 100)
    found = judge(results, both, "rendered")
    assert found["verdict"] == "not supported"
    assert found["ours"] == pytest.approx(-7)  # the least favourable part
    assert "baseline +16.0, ours -7.0" in found["why"]


def test_one_seed_decides_nothing(tmp_path):
    make_run(tmp_path, seeds=1)
    found = judge(Results(tmp_path), claim("paper", "baseline"), "rendered")
    assert found["verdict"] == "inconclusive"
    assert found["interval"] == "pictures"
    assert found["low"] == pytest.approx(100 * (0.15 - math.sqrt(2) * 0.01))
    assert "spread of seeds" in found["why"]
    cell = next(row for row in table2(Results(tmp_path)).rows if row[0] == "PG")[3]
    assert (cell.text, cell.interval, cell.seeds) == ("78.8", "[77.8, 79.8]", "1 seed")


def with_draws(folder, methods, draws):
    rows = [
        {"method": m, "architecture": "mobilenet_v2", "data": "rendered", "seed": seed}
        | {"group": "unseen", "kind": "", "metric": "auc", "draws": " ".join(map(str, one))}
        for m in methods
        for seed, one in enumerate(draws)
    ]
    write_csv(folder / "draws.csv", list(rows[0]), rows)
    return Results(folder)


def test_kept_draws_make_a_claim_paired(tmp_path):
    make_run(tmp_path, extras=False)
    close = claim("augmix", "augmix_no_jsd")  # .58 and .57, each ± .01 over pictures
    before = judge(Results(tmp_path), close, "rendered")
    assert before["interval"] == "seeds and pictures"
    shared = 0.01 * np.random.default_rng(0).standard_normal((3, 50))
    found = judge(
        with_draws(tmp_path, ("augmix", "augmix_no_jsd"), 0.5 + shared), close, "rendered"
    )
    assert found["interval"] == "seeds and paired pictures"
    assert found["ours"] == before["ours"]
    # Their draws are equal, so only the spread of seeds is left: .004 of 33 methods' 3 seeds.
    assert before["low"] < found["low"] < found["ours"]
    assert (before["verdict"], found["verdict"]) == ("inconclusive", "supported")
    # The other claims keep what they have.
    other = judge(Results(tmp_path), claim("paper", "baseline"), "rendered")
    assert other["interval"] == "seeds and pictures"


def test_smoothness_is_paired_in_each_data_set(tmp_path):
    make_run(tmp_path)
    first = Results(tmp_path).compare(
        "paper", "baseline", "rendered", "ratio", "smoothness", "clean"
    )
    for name in ("cells.csv", "smoothness.csv"):
        rows = read_rows(tmp_path, name)
        for row in list(rows):
            rows.append(row | {"data": "second"})
            if "image" in row:
                rows[-1]["image"] = f"second {row['image']}"
        write_csv(tmp_path / name, list(rows[0]), rows)
    results = Results(tmp_path)
    for data in ("rendered", "second"):
        found = results.compare("paper", "baseline", data, "ratio", "smoothness", "clean")
        assert found.covers == first.covers == "paired pictures"
        assert (found.low, found.high) == pytest.approx((first.low, first.high))


def test_without_an_interval_over_pictures_nothing_is_decided(tmp_path):
    """R may be 0 in some draws, and has no logarithm there."""
    make_run(tmp_path, extras=False)
    rows = read_rows(tmp_path, "scores.csv")
    assert (
        judge(Results(tmp_path), claim("paper", "baseline"), "rendered")["verdict"] == "supported"
    )
    write_csv(tmp_path / "scores.csv", list(rows[0]), [r | {"low": "", "high": ""} for r in rows])
    found = judge(Results(tmp_path), claim("paper", "baseline"), "rendered")
    assert (found["interval"], found["verdict"]) == ("seeds", "inconclusive")
    assert "the luck of the pictures is unknown" in found["why"]


def test_faulty_draws_are_named(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    with pytest.raises(DataError, match=r"draws.csv: pg, .*seed 0, auc, unseen: draws are not all"):
        with_draws(tmp_path, ["pg"], [["0.1", "x"]])
    with pytest.raises(DataError, match=r"draws.csv: pg, .*rows of 2 and of 3 draws"):
        with_draws(tmp_path, ["pg"], [[0.1, 0.2, 0.3], [0.1, 0.2]])


def test_a_collapsed_method_wins_nothing(tmp_path):
    """One that always answers the same never moves: R 6, RUC .99."""
    collapsed = METHODS | {"rcc": (0.30, 0.02, 6.0, 0.99, 850.0, 0.045)}
    make_run(tmp_path, methods=collapsed, extras=False)
    found = judge(Results(tmp_path), claim("rcc", "baseline", "RUC"), "rendered")
    assert (found["verdict"], found["direction"]) == ("inconclusive", "as claimed")
    assert "RCC: it collapsed: clean AUC 0.296, less than half of the baseline's" in found["why"]
    found = judge(Results(tmp_path), claim("mst", "rcc", "RUC"), "rendered")
    assert found["verdict"] == "inconclusive"
    assert judge(Results(tmp_path), claim("mst", "hdhr"), "rendered")["why"] == (
        "an interval holds the threshold"
    )


def test_a_falling_validation_auc_has_not_converged(tmp_path):
    make_run(tmp_path, gain=-0.012, extras=False)
    found = judge(Results(tmp_path), claim("paper", "baseline"), "rendered")
    assert found["verdict"] == "inconclusive"
    assert "validation AUC fell by .5 points or more in the last fifth (up to 1.2" in found["why"]


def test_convergence_rule(tmp_path):
    make_run(tmp_path / "gain", gain=0.006, extras=False)
    results = Results(tmp_path / "gain")
    found = judge(results, claim("paper", "baseline"), "rendered")
    assert found["verdict"] == "inconclusive"
    assert "in the last fifth (up to 0.6, 3 of 3 seeds)" in found["why"]
    table = table2(results)
    assert all(cell.mark for cell in table.cells if cell.seeds)
    assert "†" in table.html()
    assert "in the last fifth – baseline (rendered hands), AugMix" in table.markdown()
    methods = {**METHODS, "baseline": (0.69, *METHODS["baseline"][1:])}
    make_run(tmp_path / "poor", methods=methods, extras=False)
    found = judge(Results(tmp_path / "poor"), claim("ours", "paper"), "rendered")
    assert found["verdict"] == "inconclusive"
    assert "baseline's clean AUC is 0.690" in found["why"]


def test_claims_csv_states_its_rule(results):
    rows = [judge(results, one, "rendered") for one in CLAIMS]
    text = claims_csv(rows)
    assert text.startswith("# Supported: the whole 95 % interval")
    found = find(text)
    assert len(found) == len(CLAIMS)
    assert tuple(found[0]) == FIELDS
    (row,) = find(text, claim="RCC makes the peak tighter: it lowers D_64")
    assert row["paper"] == "RHD 954.67 → 870.67; STB 820.22 → 749.68"
    assert float(row["ours"]) == pytest.approx(0.85)
    assert row["verdict"] == "supported"
    (row,) = find(text, claim="The paper's method costs less than 2 points of clean AUC")
    assert (row["threshold"], float(row["ours"])) == ("-2", pytest.approx(-1.5))


def test_every_method_has_a_look_of_its_own():
    looks = [(look(m).color, look(m).marker) for m in LOOKS]
    assert len(set(looks)) == len(looks)
    lines = [(look(m).color, str(look(m).line), look(m).marker) for m in LOOKS]
    assert len(set(lines)) == len(lines)
    assert look("my_method").label == "my method"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("status", "state", 1), "cells.csv: no column 'status'"),
        (lambda t: t.replace(",done,", ",finished,", 1), "status is 'finished'"),
        (lambda t: t.replace(",1000,", ",many,", 1), "line 2: steps is 'many', expected a number"),
        (lambda t: t + t.splitlines()[1] + "\n", "two rows for baseline"),
        (lambda t: t + "a,b\n", "has 2 fields"),
        (lambda t: "", "cells.csv: empty"),
        (lambda t: t.splitlines()[0], "has no cell"),
    ],
)
def test_faulty_files_are_named(tmp_path, change, message):
    make_run(tmp_path, seeds=1, extras=False)
    path = tmp_path / "cells.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        Results(tmp_path)


def test_comments_failures_and_missing_files(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    path = tmp_path / "cells.csv"
    text = path.read_text().replace("not run", "failed: out of memory")
    path.write_text("# command\n" + text)
    (tmp_path / "scores.csv").unlink()
    results = Results(tmp_path)
    texts = {row[0]: row[3].text for row in table2(results).rows}
    assert (texts["AT"], texts["PG"]) == ("failed", "not run")
    with pytest.raises(DataError, match=r"no cells\.csv"):
        Results(tmp_path / "elsewhere")


def test_two_values_of_one_figure_are_refused(tmp_path):
    make_run(tmp_path, seeds=1, extras=False)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    write_csv(tmp_path / "scores.csv", list(rows[0]), [*rows, rows[0]])
    with pytest.raises(DataError, match="two values of auc"):
        Results(tmp_path)
