"""The ratios of benchmarks/method_steps.py, on seconds known by hand."""

from benchmarks.method_steps import FIELDS, summary


def test_each_turn_gives_a_ratio_and_their_median_counts():
    # (clock, CPU) of the method and of the baseline: ratios 2, 3, 5 and 1, 1, 4.
    turns = [((2, 1), (1, 1)), ((6, 2), (2, 2)), ((5, 8), (1, 2))]
    found = summary(turns)
    assert set(found) <= set(FIELDS)
    assert found["seconds_per_step"] == "5.0000"
    assert [found[f"ratio{end}"] for end in ("_lowest", "", "_highest")] == [
        *("2.000", "3.000", "5.000")
    ]
    assert (found["cpu_ratio"], found["cpu_ratio_highest"]) == ("1.000", "4.000")
