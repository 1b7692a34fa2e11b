"""The smooth function through noisy values."""

import numpy as np
import pytest

from mbsweep.statistics.smooth import Smooth


def test_smooth_function_is_found():
    """Between exact values of a smooth function its error is small, and its stated deviation is, too."""
    points = np.random.default_rng(0).uniform(0, 3, (60, 2))
    model = Smooth.fit(points[:40], np.sin(points[:40, 0]) + points[:40, 1])
    values, deviations = model.predict(points[40:])
    np.testing.assert_allclose(values, np.sin(points[40:, 0]) + points[40:, 1], atol=0.05)
    assert deviations.max() < 0.2


def test_one_disturbed_value_is_not_followed():
    """Of 31 values of a sine, the middle one is 1 too high: there the function is found to 0.03."""
    points = np.linspace(0, 3, 31)[:, None]
    values = np.sin(points[:, 0])
    values[15] += 1
    found, _ = Smooth.fit(points, values).predict(points[15:16])
    assert found[0] == pytest.approx(np.sin(1.5), abs=0.03)


def test_constant_values_stay_constant():
    """A constant is found from two values, at any distance from them."""
    values, _ = Smooth.fit(np.array([[0.0], [1.0]]), np.array([0.5, 0.5])).predict(np.array([[0.5], [40.0]]))
    np.testing.assert_allclose(values, 0.5)
