"""The audit never says that all is well where nobody was asked."""

import pytest

from benchmarks import audit

SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.0"]}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found on PyPI"}


def outcomes(packages):
    return [row["outcome"] for row in audit.rows_of(packages)]


def test_outcomes(monkeypatch):
    broken = {"name": "pillow", "version": "1.0", "vulns": [HOLE]}
    assert outcomes([SOUND]) == ["none known"]
    assert outcomes([SOUND, broken]) == ["OPEN"]
    assert audit.rows_of([SOUND, broken])[0]["packages"] == 2
    assert outcomes([SOUND, broken | {"name": "pip"}]) == ["accepted"]
    monkeypatch.setitem(audit.ACCEPTED, "CVE-2026-1", "never called")
    assert outcomes([broken]) == ["accepted"]


@pytest.mark.parametrize("packages", [[UNKNOWN], [SOUND, UNKNOWN]])
def test_a_service_that_knows_nothing_is_no_good_news(packages):
    assert outcomes(packages) == ["NOT CHECKED"]
