# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How evidence is compared, and what samples say about a window of time. Pure: no clock of its own.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Times are seconds since the epoch, windows and gaps are seconds.
"""

from __future__ import annotations

import math
import re
import typing as t

CLOCKS = 300.0  # by which clocks of a lab may disagree
COVERED = 0.9  # of a window that samples must show

OPERATORS: dict[str, t.Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
Samples = t.Sequence[t.Tuple[float, float]]  # (time, value), oldest first


def inside(samples: Samples, window: float, now: float) -> list[tuple[float, float]]:
    """Those of the last C(window) seconds that are numbers."""
    return [(when, value) for when, value in samples if now - window <= when <= now + CLOCKS and not math.isnan(value)]


def coverage(samples: Samples, window: float, now: float) -> float:
    """Part of the window, 0 to 1, that C(samples), all inside it, tell of. Each vouches for a fortieth of it; in a short one for 5 s, or a quarter."""
    if not samples or not window:
        return 0.0
    reach = max(window / 40, min(window / 4, 5.0))
    times = [now - window, *(when for when, _value in samples), now]
    return min(sum(min(max(b - a, 0.0), reach) for a, b in zip(times, times[1:])) / window, 1.0)


def share(samples: Samples, holds: t.Callable[[float], bool]) -> float:
    """Part of C(samples), 0 to 1, for which it holds; there must be one at least."""
    return sum(holds(value) for _when, value in samples) / len(samples)


def duration(seconds: float) -> str:
    """As a person says it: 7 d, 12 h, 10 min, 5 s."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def duration_seconds(text: t.Any) -> float | None:
    """Of a duration as C(7 d), C(12h), C(30 min) or C(5 s); None when it is none."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(d|h|min|s)\s*", str(text))
    return float(found[1]) * {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}[found[2]] if found else None
