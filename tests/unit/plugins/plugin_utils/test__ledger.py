# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import multiprocessing
import pathlib

from ansible_collections.gpulab.expansion.plugins.plugin_utils._ledger import Ledger


def _add(directory: str, number: int) -> None:
    for each in range(50):
        Ledger(directory).add(f"host{number % 2}", {("path", f"/{number}/{each}")})


def test_many_workers_write_one_ledger(tmp_path: pathlib.Path) -> None:
    workers = [multiprocessing.Process(target=_add, args=(str(tmp_path), n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(Ledger(str(tmp_path)).pending("host0")) == 100
    assert ("path", "/1/0") in Ledger(str(tmp_path)).pending("host1")


def test_empty(tmp_path: pathlib.Path) -> None:
    Ledger(str(tmp_path)).add("a", set())
    assert Ledger(str(tmp_path)).pending("a") == set() and not list(tmp_path.iterdir())
