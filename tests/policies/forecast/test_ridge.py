"""Ridge by blocks is scikit-learn's Ridge on what came before each block."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from policies.forecast.ridge import Pairs, emptied, rolling_fit, rolling_said


def pairs_of(rows: int = 3, number: int = 400, features: int = 5) -> Pairs:
    random = np.random.default_rng(1)
    known = random.random((rows, number)) < 0.9
    x = (random.normal(size=(rows, features, number)) * known[:, np.newaxis]).astype(np.float32)
    y = x.sum(axis=1) + random.normal(size=(rows, number)).astype(np.float32)
    block = np.arange(number) * 4 // number
    return Pairs(x, y, known, block, np.minimum(block + (np.arange(number) % 100 >= 90), 3))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_features_of_pairs_that_are_not_known_are_set_to_zero(share: float) -> None:
    missing = np.random.default_rng(2).random((3, 400)) < share
    x = np.ones((3, 5, 400), np.float32)
    emptied(x, ~missing)
    assert (x.sum(axis=1) == np.where(missing, 0, 5)).all()


def test_each_block_sees_what_came_before_it() -> None:
    pairs = pairs_of()
    coefficient, number = rolling_fit(pairs, 4, alpha=2.0, keep=1.0)
    for block in (1, 2, 4):
        before = pairs.known[1] & (pairs.target_block < block)
        model = Ridge(alpha=2.0, fit_intercept=False).fit(pairs.x[1][:, before].T, pairs.y[1, before])
        np.testing.assert_allclose(coefficient[block, 1], model.coef_, rtol=1e-4, atol=1e-5)
        assert number[block, 1] == before.sum()


def test_older_blocks_count_less() -> None:
    pairs = pairs_of()
    coefficient, _ = rolling_fit(pairs, 4, alpha=2.0, keep=0.5)
    weight = 0.5 ** (3 - pairs.target_block) * pairs.known[0]
    model = Ridge(alpha=2.0, fit_intercept=False).fit(pairs.x[0].T, pairs.y[0], sample_weight=weight)

    np.testing.assert_allclose(coefficient[4, 0], model.coef_, rtol=1e-4, atol=1e-5)


def test_a_pair_is_forecast_by_the_fit_before_its_origin() -> None:
    pairs = pairs_of()
    coefficient, _ = rolling_fit(pairs, 4, alpha=2.0, keep=1.0)
    said = rolling_said(pairs, coefficient)

    assert not said[:, pairs.origin_block == 0].any()
    np.testing.assert_allclose(said[2, 350], pairs.x[2, :, 350] @ coefficient[3, 2], rtol=1e-4)
