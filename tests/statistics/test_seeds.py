"""The interval of a trained accuracy: what the seeds and the test images leave uncertain."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from mbsweep.statistics.seeds import SeedNoise, angle, seed_noise, share_of, spread


def hits(right, images):
    """The first so many images of a test part are right."""
    return np.arange(images) < right


# Closed forms


def test_an_angle_is_the_arcsine_of_the_shares_root():
    """Half of the images are at 45 degrees; 0 of n at arcsin sqrt(0.375 / (n + 0.75)), after Anscombe."""
    assert angle(0.5, 100) == pytest.approx(math.pi / 4)
    assert angle(0.0, 9) == pytest.approx(math.asin(math.sqrt(0.375 / 9.75)))
    assert angle(1.0, 9) == pytest.approx(math.pi / 2 - angle(0.0, 9))


@pytest.mark.parametrize(("at", "share"), [(-0.1, 0), (0, 0), (math.pi / 4, 0.5), (math.pi / 2, 1), (1.7, 1)])
def test_beyond_a_right_angle_shares_are_cut_off(at, share):
    """sin^2, between 0 and 1."""
    assert share_of(at) == pytest.approx(share)


def test_the_noise_of_networks_that_are_alike_is_pooled():
    """The sum of squared deviations from each network's own mean, by one less per network than seeds."""
    networks = {
        "a": [hits(2, 10), hits(8, 10)],  # on either side of the middle, which is at 45 degrees
        "b": [hits(3, 10), hits(5, 10), hits(7, 10)],
        "c": [hits(9, 10)],  # says nothing of seeds
    }
    noise = seed_noise(networks)
    middle, squares = math.pi / 4, [(angle(share, 10) - math.pi / 4) ** 2 for share in (0.8, 0.7)]
    assert angle(0.5, 10) == pytest.approx(middle)
    assert (noise.freedom, noise.total) == (math.inf, 3)
    assert noise.variance == pytest.approx(2 * sum(squares) / 3)


def test_the_spread_of_variances_is_found_again():
    """Of 3000 networks with 3 seeds whose variances are drawn from a scaled inverse chi-squared distribution
    of 4 degrees of freedom around 0.1^2, these two numbers come back.
    """
    chance = np.random.default_rng(4)
    drawn = {}
    for network in range(3000):
        sd = 0.1 * math.sqrt(4 / chance.chisquare(4))
        shares = np.sin(math.pi / 4 + np.clip(sd * chance.standard_normal(3), -0.7, 0.7)) ** 2
        drawn[network] = [hits(round(share * 2000), 2000) for share in shares]
    found = seed_noise(drawn)
    assert found.freedom == pytest.approx(4, rel=0.35)
    assert math.sqrt(found.variance) == pytest.approx(0.1, rel=0.05)
    assert found.total == 6000


def test_without_a_second_seed_the_noise_is_unknown():
    """NaN, with no degree of freedom: a number is never invented."""
    noise = seed_noise({"a": [hits(5, 10)], "b": []})
    assert math.isnan(noise.variance)
    assert noise.total == 0


def test_one_seed_everywhere_has_a_mean_but_no_interval():
    """Mean 70 %; sd and both ends NaN."""
    found = spread([hits(7, 10)], seed_noise({"a": [hits(7, 10)]}))
    assert found.mean_pct == pytest.approx(70)
    assert all(math.isnan(value) for value in (found.sd_pct, found.low_pct, found.high_pct))


def test_where_seeds_agree_on_every_image_only_the_images_count():
    """Half of 400 right: on the scale of angles the standard deviation is 1 / (2 sqrt 400) = 0.025."""
    found = spread([hits(200, 400)] * 2, SeedNoise(0.0, math.inf, 5))
    assert found.mean_pct == 50
    assert found.sd_pct == 0
    assert found.low_pct == pytest.approx(100 * math.sin(math.pi / 4 - 1.96 * 0.025) ** 2)
    assert found.high_pct == pytest.approx(100 * math.sin(math.pi / 4 + 1.96 * 0.025) ** 2)
    # Close to the textbook's 50 +- 1.96 * 2.5.
    assert found.high_pct == pytest.approx(54.9, abs=0.05)


def test_the_noise_of_seeds_is_added_in_quadrature_by_students_t():
    """Two seeds, 10 degrees of freedom: t = 2.228 (tables), and the noise of a mean of two."""
    found = spread([hits(200, 400)] * 2, SeedNoise(0.02**2, math.inf, 10))
    half = math.hypot(2.228 * 0.02 / math.sqrt(2), 1.96 * 0.025)
    assert found.high_pct == pytest.approx(100 * math.sin(math.pi / 4 + half) ** 2, abs=0.002)


def test_a_networks_own_noise_counts_beside_the_usual_one():
    """25 and 75 % are at 30 and 60 degrees, a variance of (30 degrees)^2 / 2 with one degree of freedom; the
    usual one is 0.01 with 4. Student's t of the 5 together is 2.571 (tables). Of the images, the mean of the
    seeds has the variance 1/8 on 400 of them.
    """
    found = spread([hits(100, 400), hits(300, 400)], SeedNoise(0.01, 4, 10))
    variance = (4 * 0.01 + math.radians(30) ** 2 / 2) / 5
    half = math.hypot(2.571 * math.sqrt(variance / 2), 1.96 * math.sqrt(0.125 / 400))
    assert found.high_pct == pytest.approx(100 * math.sin(math.pi / 4 + half) ** 2, abs=0.1)
    assert found.low_pct == pytest.approx(100 - found.high_pct)


def test_the_standard_deviation_over_the_seeds_is_that_of_a_sample():
    """60 and 70 %: 10 / sqrt 2."""
    found = spread([hits(6, 10), hits(7, 10)], SeedNoise(0.01, math.inf, 1))
    assert found.mean_pct == pytest.approx(65)
    assert found.sd_pct == pytest.approx(10 / math.sqrt(2))


# Properties


@st.composite
def made_hits(draw):
    """For each of one to five seeds, which of the same images were right."""
    images = draw(st.integers(1, 40))
    row = st.lists(st.booleans(), min_size=images, max_size=images)
    return [np.array(each) for each in draw(st.lists(row, min_size=1, max_size=5))]


@given(made_hits(), st.floats(0, 3), st.integers(1, 30))
def test_an_interval_lies_within_percent_and_around_its_mean(of_seeds, variance, freedom):
    """0 <= low <= mean <= high <= 100, whatever the noise."""
    found = spread(of_seeds, SeedNoise(variance, math.inf, freedom))
    assert 0 <= found.low_pct <= found.mean_pct <= found.high_pct <= 100
    assert found.mean_pct == pytest.approx(100 * np.mean(of_seeds))


@given(made_hits(), st.floats(0, 0.1), st.integers(1, 30))
def test_noisier_seeds_give_a_wider_interval(of_seeds, variance, freedom):
    """Never a narrower one."""
    calm, noisy = (
        spread(of_seeds, SeedNoise(each, math.inf, freedom)) for each in (variance, variance + 0.01)
    )
    assert noisy.low_pct <= calm.low_pct
    assert noisy.high_pct >= calm.high_pct


@given(made_hits())
def test_right_and_wrong_are_treated_alike(of_seeds):
    """Where right and wrong change places, the interval is mirrored."""
    noise = SeedNoise(0.01, math.inf, 4)
    found, mirrored = spread(of_seeds, noise), spread([~each for each in of_seeds], noise)
    assert mirrored.low_pct == pytest.approx(100 - found.high_pct, abs=1e-9)
    assert mirrored.high_pct == pytest.approx(100 - found.low_pct, abs=1e-9)


@pytest.mark.parametrize(("right", "images"), [(0, 30), (30, 30), (36, 36), (35, 36), (3800, 4000)])
def test_where_seeds_agree_the_interval_is_close_to_wilsons(right, images):
    """That of one share alone, also where all of a few images are right: 88.6 % for 30 of 30."""
    found = spread([hits(right, images)] * 2, SeedNoise(0.0, math.inf, 4))
    wilson = binomtest(right, images).proportion_ci(method="wilson")
    assert found.low_pct == pytest.approx(100 * wilson.low, abs=3.5)
    assert found.high_pct == pytest.approx(100 * wilson.high, abs=3.5)
    if right == images:
        assert found.low_pct < 94
        assert found.high_pct == 100


# Coverage


@pytest.mark.parametrize(
    ("networks", "seeds", "images", "seed_sd", "hard_share", "most"),
    [
        (9, 2, 400, (0.03,), 0.8, 0.99),
        (9, 2, 400, (0.003,), 0.9, 0.99),
        (4, 3, 1000, (0.05,), 0.5, 0.99),
        (9, 3, 100, (0.02,), 0.8, 0.99),
        # What an image and a seed decide together is in both errors, so here intervals are too wide.
        (9, 2, 400, (0.003,), 0.3, 0.998),
        # Networks that are sure of themselves beside some that start early or late.
        (9, 2, 4000, (0.01, 0.01, 0.1), 0.8, 0.99),
    ],
)
def test_intervals_cover_what_the_recipe_gives_on_average(networks, seeds, images, seed_sd, hard_share, most):
    """Sweeps are drawn: how hard each image is, what each seed is worth, and which images are in the test
    part. About 95 % of the intervals hold the accuracy that is expected over seeds and images.

    hard_share: of an image's luck, what is the same for every seed.
    """
    chance = np.random.default_rng(95)
    inside, total = 0, 0
    for _ in range(150):
        expected, drawn = [], {}
        for network in range(networks):
            middle = chance.uniform(0.55, 1.35)  # angles of 27 to 95 %
            own_sd = chance.choice(seed_sd)
            strengths = np.sin(middle + own_sd * chance.standard_normal(2000)) ** 2
            expected.append(100 * strengths.mean())
            for_all = math.sqrt(hard_share) * chance.standard_normal(images)
            luck = for_all + math.sqrt(1 - hard_share) * chance.standard_normal((seeds, images))
            drawn[network] = list(luck < norm.ppf(strengths[:seeds, None]))
        noise = seed_noise(drawn)
        for mean_pct, of_seeds in zip(expected, drawn.values(), strict=True):
            found = spread(of_seeds, noise)
            inside += found.low_pct <= mean_pct <= found.high_pct
            total += 1
    assert 0.90 <= inside / total <= most
