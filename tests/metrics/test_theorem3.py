"""Theorem 3: what each form promises is true, tight, and where the printed one fails."""

import metric_oracles as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shr import metrics

PROPERTY = settings(max_examples=30, deadline=None)
SHAPE = (4, 5)


def single(heatmap):
    return np.asarray(heatmap, "float32")[None, :, :, None]


def holds(clean, perturbed, form="printed"):
    return bool(metrics.theorem3_holds(single(clean), single(perturbed), form)[0, 0])


def pair(seed, normalize):
    """A peaked map and a version changed by about as much as the theorem allows."""
    rng = np.random.default_rng(seed)
    clean = rng.random(SHAPE) * rng.uniform(0.05, 0.9)
    clean.flat[rng.integers(clean.size)] = 1.0
    change = rng.normal(0, 1, SHAPE) * (rng.random(SHAPE) < rng.uniform(0.05, 1))
    if rng.random() < 0.5:  # the worst case: one rival rises, the peak falls
        top, second = np.argsort(clean, axis=None)[[-1, -2]]
        change[:] = 0
        change.flat[second], change.flat[top] = 1, -rng.uniform(0, 0.3)
    gap = 1 - np.sort(clean, axis=None)[-2]
    change *= gap * rng.uniform(0.3, 1.2) / max(np.linalg.norm(change), 1e-9)
    perturbed = clean + change
    if normalize is not None:
        perturbed = np.maximum(perturbed, 0)
        reduce = np.max if normalize == "max" else np.sum
        clean, perturbed = clean / reduce(clean), perturbed / reduce(perturbed)
    return clean, perturbed


def moved(clean, perturbed):
    """Whether the argmax moved, beyond what float32 rounding could decide."""
    top = clean.argmax()
    rivals = np.delete(perturbed.ravel(), top)
    return rivals.max() > perturbed.flat[top] + 1e-5


@PROPERTY
@given(st.integers(0, 10**9), st.sampled_from(["max", "sum"]))
def test_printed_form_is_sound_on_normalised_maps(seed, normalize):
    for i in range(20):
        clean, perturbed = pair(seed + i, normalize)
        gap, bound = oracle.theorem3(clean, perturbed)
        if gap > bound:
            assert not moved(clean, perturbed)
    if abs(gap - bound) > 1e-5:
        assert holds(clean, perturbed) == (gap > bound)


@PROPERTY
@given(st.integers(0, 10**9))
def test_corrected_form_is_sound_on_free_maps(seed):
    for i in range(20):
        clean, perturbed = pair(seed + i, None)
        gap, bound = oracle.theorem3(clean, perturbed, corrected=True)
        if gap > bound:
            assert not moved(clean, perturbed)
    if abs(gap - bound) > 1e-5:
        assert holds(clean, perturbed, "corrected") == (gap > bound)
        if holds(clean, perturbed, "corrected"):
            assert holds(clean, perturbed)


@pytest.mark.parametrize("size", [4, 6])
def test_counter_example_to_the_printed_form_on_free_maps(size):
    """Δ = a at the runner-up and −a/(1 + HW) at the peak moves the argmax; the form is met."""
    area = size * size
    clean = np.zeros((size, size))
    clean[0, 0], clean[2, 3] = 1.0, 0.5
    # The gap .5 is closed at a·(1 + 1/(1+HW)) = .5; the printed bound is a·sqrt(1 + 1/(1+HW)).
    a = 0.5 / (1 + 1 / (1 + area)) * 1.005
    perturbed = clean.copy()
    perturbed[2, 3] += a
    perturbed[0, 0] -= a / (1 + area)
    assert perturbed.argmax() != clean.argmax()
    assert holds(clean, perturbed, "printed")
    assert not holds(clean, perturbed, "corrected")
    assert not metrics.argmax_unmoved(single(clean), single(perturbed))[0, 0]


def test_corrected_form_is_tight():
    """A hair less change than the counter-example's and the corrected form certifies it."""
    area = 16
    clean = np.zeros((4, 4))
    clean[0, 0], clean[2, 3] = 1.0, 0.5
    a = 0.5 / (1 + 1 / (1 + area)) * 0.999
    perturbed = clean.copy()
    perturbed[2, 3] += a
    perturbed[0, 0] -= a / (1 + area)
    assert holds(clean, perturbed, "corrected")
    assert perturbed.argmax() == clean.argmax()


def test_printed_form_on_equal_sums_is_the_distance_from_the_peaks_own_change():
    """With ΣΔ = 0 the right side is sqrt(Σ (Δ_i − Δ_1)²)."""
    rng = np.random.default_rng(5)
    clean, perturbed = rng.random((2, *SHAPE))
    clean, perturbed = clean / clean.sum(), perturbed / perturbed.sum()
    change = perturbed - clean
    own = change.flat[clean.argmax()]
    assert oracle.theorem3(clean, perturbed)[1] == pytest.approx(np.linalg.norm(change - own))


def test_strict_and_broken():
    clean = np.zeros((3, 3))
    clean[1, 1] = 1
    assert holds(clean, clean)
    assert not holds(np.ones((3, 3)), np.ones((3, 3)))  # a tie: 0 > 0 is not certified
    equal = clean.copy()
    equal[0, 0] = 1  # gap 1, bound exactly 1
    assert not holds(clean, equal)
    for bad in (np.nan, np.inf):
        broken = clean.copy()
        broken[2, 2] = bad
        assert not holds(clean, broken)
        assert not holds(broken, clean)
        assert not metrics.argmax_unmoved(single(clean), single(broken))[0, 0]


def test_shares():
    clean = np.zeros((2, 4, 4, 2), "float32")
    clean[:, 1, 2] = 2.0
    perturbed = clean.copy()
    perturbed[0, 0, 0, 0] = 0.5  # after max-normalising Δ = .25: certified
    perturbed[0, 0, 0, 1] = 3.0  # moved
    perturbed[1, :2, :2, 0] = 1.9  # unmoved, not certified
    certified, unmoved = metrics.Theorem3Share(), metrics.UnmovedShare()
    for i in range(2):
        certified.update_state(clean[i : i + 1], perturbed[i : i + 1])
        unmoved.update_state(clean[i : i + 1], perturbed[i : i + 1])
    assert float(certified.result()) == 0.5
    assert float(unmoved.result()) == 0.75
    masked = metrics.UnmovedShare()
    masked.update_state(clean, perturbed, np.array([[1, 0], [1, 1]]))
    assert float(masked.result()) == 1
