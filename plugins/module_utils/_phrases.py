# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences that are said in English and Chinese. Pure.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Whoever judges says a sentence in English, and writes its Chinese beside it. Results, logs and records have the English one; a page in Chinese finds
the other by it.
"""

from __future__ import annotations

import functools
import re
import string
import typing as t


class Phrase:
    """C(en) and C(zh) have the same fields, as C({host})."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh

    def __call__(self, **fields: t.Any) -> str:
        return self.en.format(**fields)

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern, seen = "", set()
        for literal, field, _spec, _conversion in string.Formatter().parse(self.en):
            pattern += re.escape(literal)
            if field:
                pattern += f"(?P={field})" if field in seen else f"(?P<{field}>.+?)"
                seen.add(field)
        return re.compile(pattern, re.DOTALL)

    def chinese(self, said: str, others: t.Iterable[Phrase] = ()) -> str | None:
        """C(said) in Chinese, if it is this sentence. What stands in a field may be one of C(others) itself."""
        found = self._pattern.fullmatch(said)
        return self.zh.format(**{name: in_chinese(text, others) for name, text in found.groupdict().items()}) if found else None


def in_chinese(said: str, phrases: t.Iterable[Phrase]) -> str:
    """C(said) in Chinese, if it is one of C(phrases); else as it is."""
    return next((told for phrase in phrases for told in [phrase.chinese(said, phrases)] if told is not None), said)
