# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gpulab.expansion.plugins.module_utils._usage.io_latency import latencies, summary

# two disks, in the forms of kernels with and without I/O priority; a flush, a request that began before, and one that has not ended
EVENTS = """
 kworker/0:1-9 [000] ..... 100.000000: block_rq_complete: 8,0 W () 512 + 8 none,0,0 [0]
 dd-1234 [000] ..... 100.001000: block_rq_issue: 8,0 W 4096 () 1024 + 8 none,0,0 [dd]
 dd-1234 [001] ..... 100.001500: block_rq_issue: 259,1 R 4096 () 1024 + 8 [dd]
 dd-1234 [001] d.... 100.001600: block_rq_issue: 8,0 FF 0 () 0 + 0 none,0,0 [dd]
 <idle>-0 [000] d.h.. 100.001900: block_rq_complete: 259,1 R () 1024 + 8 [0]
 <idle>-0 [000] d.h.. 100.011000: block_rq_complete: 8,0 W () 1024 + 8 none,0,0 [0]
 <idle>-0 [000] d.h.. 100.012000: block_rq_complete: 8,0 FF () 0 + 0 none,0,0 [0]
 dd-1234 [000] ..... 100.020000: block_rq_issue: 8,0 W 4096 () 2048 + 8 none,0,0 [dd]
 dd-1234 [000] ..... 100.021000: block_rq_issue: 8,0 W 4096 () 4096 + 8 none,0,0 [dd]
 <idle>-0 [000] d.h.. 100.022000: block_rq_complete: 8,0 W () 2048 + 8 none,0,0 [0]
"""


def test_requests_are_paired_by_disk_and_sector() -> None:
    found = latencies(EVENTS)
    assert {device: [round(1000 * s, 3) for s in seconds] for device, seconds in found.items()} == {"8:0": [10.0, 2.0], "259:1": [0.4]}


def test_the_share_is_of_requests_and_no_mean() -> None:
    # 79 fast and 21 slow: the mean is far below 5 ms
    seconds = [0.0001] * 79 + [0.006] * 21
    told = summary("8:0", "sda", seconds, 0.005)
    assert (told["requests"], told["slow"], told["slow_percent"]) == (100, 21, 21.0)
    assert (told["p50_ms"], told["p99_ms"], told["max_ms"]) == (0.1, 6.0, 6.0)
    assert summary("8:0", "sda", [0.005], 0.005)["slow"] == 0
