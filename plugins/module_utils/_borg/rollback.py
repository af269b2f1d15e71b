# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transaction log of an append-only repository. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
https://borgbackup.readthedocs.io/en/stable/usage/notes.html#append-only-mode-forbid-compaction
"""

from __future__ import annotations

import calendar
import re
import time


class RollbackError(Exception):
    """A sentence for the admin."""


def last_before(log: str, moment: float) -> int:
    """Number of the last transaction at or before C(moment), seconds since the epoch.

    C(log) has lines C(transaction 11, UTC time 2026-11-24T03:54:23.887256).
    """
    found = [
        (int(number), calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
        for number, text in re.findall(r"(?m)^transaction (\d+), UTC time (\S+)$", log)
    ]
    earlier = [number for number, when in found if when <= moment]
    if not earlier:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
        first = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found[0][1])) if found else "none"
        raise RollbackError(f"a transaction at or before {when} is expected in its log, but the first is {first}. Name a later time.")
    return max(earlier)
