# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting in the module that reads. Ansible's own C(until) makes a failure of what did not come, before any verdict can say what it means.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import time
import typing as t

T = t.TypeVar("T")


def read_until(read: t.Callable[[], T], enough: t.Callable[[T], bool], seconds: float, every: float) -> T:
    """What C(read) says first that is C(enough), or what it says when C(seconds) are over; asked each C(every) seconds, and once at least."""
    until = time.monotonic() + seconds
    while True:
        found = read()
        if enough(found) or time.monotonic() >= until:
            return found
        time.sleep(every)
