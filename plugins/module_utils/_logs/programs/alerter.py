# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts ElastAlert2 with rules that are looked at when they are due.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

ElastAlert2 2.19 begins each look up to five seconds late, at random, and has no setting for it: with a look every two seconds that was most of the time
from an event to its alert (p95 6.4 s for 200 events; 3.1 s without). Its rules begin at random moments already, which spreads their load.
"""

from __future__ import annotations

import typing as t


def main() -> None:
    # only the host's own environment has them
    from apscheduler.schedulers.base import BaseScheduler
    from elastalert import elastalert

    add = BaseScheduler.add_job

    def add_in_time(self: t.Any, *args: t.Any, **more: t.Any) -> t.Any:
        return add(self, *args, **{**more, "jitter": None})

    BaseScheduler.add_job = add_in_time
    elastalert.main()


if __name__ == "__main__":
    main()
