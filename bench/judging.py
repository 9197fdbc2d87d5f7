# SPDX-License-Identifier: MIT
"""How the benches judge a row: the median of its values, the bootstrap 95 % interval of that, and what a bound makes of it.

A row fails only when all of its interval lies beyond the bound, and is inconclusive when the bound lies inside.
"""

import random
import statistics


def interval(values, draws=2000):
    """The bootstrap 95 % interval of the median; the same values give the same one."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(draws * 0.025)], medians[int(draws * 0.975)]


def verdict(values, bound):
    low, high = interval(values)
    return "FAILED" if low > bound else "holds" if high <= bound else "inconclusive"


def row(values, bound=None, digits=2):
    """`1.23 [1.20, 1.31] holds`, of values that must not exceed BOUND."""
    low, high = interval(values)
    text = f"{statistics.median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return text if bound is None else f"{text} {verdict(values, bound)}"
