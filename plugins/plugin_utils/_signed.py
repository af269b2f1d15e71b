# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody answers for until a day: overrides of gates, confirmations of what ends running jobs.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

S = t.TypeVar("S")


def signed(kind: type[S], what: str, data: t.Any, error: type[Exception]) -> S:
    """The dataclass C(kind), whose fields C(data) has all of and no more; C(until) is the last day, as C(2026-12-31). C(error) says what is wrong."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    given = data if isinstance(data, dict) else {}
    wrong = [name for name in names if not given.get(name)] + [str(name) for name in given if name not in names]
    if wrong:
        raise error(f"{what} is expected to have {', '.join(names)} and nothing else, but {', '.join(wrong)} is wrong in {data!r}: correct it.")
    fields = {name: [str(each) for each in value] if isinstance(value, list) else str(value) for name, value in given.items()}
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(fields["until"])):
        raise error(f"{what} of {fields[names[0]]} is expected to end on a day as 2026-12-31, but until is {fields['until']!r}: correct it.")
    return kind(**fields)
