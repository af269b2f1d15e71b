# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which version of Harbor to which one step may go.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

AHEAD = 2  # minor versions that one step may go, by its documentation


def upgrade_problem(old: str, new: str) -> str:
    """Why Harbor C(old) cannot become C(new), as a sentence, or nothing; no C(old) is a new one."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", new):
        return f"a version of Harbor as 2.14.0 is expected, but harbor_version is {new!r}: correct it."
    if not old:
        return ""
    (major, minor, patch), (to_major, to_minor, to_patch) = ((int(part) for part in text.split(".")) for text in (old, new))
    if (to_major, to_minor, to_patch) < (major, minor, patch):
        return (
            f"Harbor {old} is expected to stay or to become newer, but harbor_version is {new}, and its database knows no way back: set {old} or a newer one."
        )
    if to_major != major or to_minor - minor > AHEAD:
        return (
            f"Harbor {old} is expected to go at most {AHEAD} minor versions ahead at once, but harbor_version is {new}: go to {major}.{minor + AHEAD}.x first."
        )
    return ""
