#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_rollback
short_description: Bring back what a client has hidden or deleted, by going back in a repository's transaction log
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - A client that may only append can still append a list of archives that lacks some, or say that objects are deleted. As long as nothing was
    compacted, going back to the last transaction before that brings them back.
  - Going back further than the last compaction is refused, because what it replaced is gone.
  - Runs on the server. The segments after that transaction are moved aside, not deleted.
  - Holds the repository, so that no client can write meanwhile, and fails when one does.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  repository:
    description: Directory of the repository.
    type: path
    required: true
  before:
    description: Seconds since the epoch; the last transaction at or before it is the one to go back to. One of this and O(transaction) is expected.
    type: float
  transaction:
    description: Number of the transaction to go back to.
    type: int
  aside:
    description: Directory for what is moved aside, on the same file system.
    type: path
    required: true
  hold:
    description: Lock file that every session of the client shares.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Go back to when everything was there
  gpulab.expansion.borg_rollback:
    repository: /srv/borg/repos/gpu1
    transaction: 411
    aside: /srv/borg/aside/gpu1
    hold: /srv/borg/holds/gpu1
"""

RETURN = r"""
transaction:
  description: The transaction that the repository is, or would be, at.
  returned: always
  type: int
segments:
  description: Number of segments that are, or would be, moved aside.
  returned: always
  type: int
gpulab_prediction:
  description: The repository with its transaction and the number of segments moved.
  returned: always
  type: list
  elements: dict
"""

import contextlib
import fcntl
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.heads import holds, last_transaction, notes
from ..module_utils._borg.rollback import RollbackError, last_before
from ..module_utils._borg.segments import number, segments
from ..module_utils._prediction import prediction


@contextlib.contextmanager
def alone(module: AnsibleModule, hold: str) -> t.Iterator[None]:
    with open(hold, "a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            module.fail_json(msg=f"{hold} is expected to be free, but a session of the client or retention has it: stop the client's backups first.")
        yield


def transaction_before(module: AnsibleModule, repository: str, moment: float) -> int:
    try:
        with open(f"{repository}/transactions", encoding="utf-8", errors="replace") as handle:
            return last_before(handle.read(), moment)
    except OSError as exc:
        module.fail_json(
            msg=f"{repository}: a log of transactions is expected, which append-only sessions write, but: {exc.strerror}. Recover from the bucket."
        )
    except RollbackError as exc:
        module.fail_json(msg=f"{repository}: {exc}")
    raise AssertionError("fail_json ends the module")


def move_aside(repository: str, late: list[str], aside: str) -> None:
    """Segments first, by falling number, so that an interruption leaves a shorter log and not a gap."""
    owner = os.stat(repository)
    os.makedirs(aside, mode=0o700, exist_ok=True)
    os.chown(aside, owner.st_uid, owner.st_gid)
    for segment in reversed(late):
        os.rename(f"{repository}/data/{segment}", f"{aside}/{number(segment)}")
    for name in os.listdir(repository):
        # the index is made anew from the segments
        if name.split(".")[0] in ("index", "hints", "integrity"):
            os.rename(f"{repository}/{name}", f"{aside}/{name}")


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            repository=dict(type="path", required=True),
            before=dict(type="float"),
            transaction=dict(type="int"),
            aside=dict(type="path", required=True),
            hold=dict(type="path", required=True),
        ),
        supports_check_mode=True,
        mutually_exclusive=[("before", "transaction")],
        required_one_of=[("before", "transaction")],
    )
    wanted = module.params
    repository = wanted["repository"]
    transaction = wanted["transaction"] if wanted["before"] is None else transaction_before(module, repository, wanted["before"])
    noted = notes(os.path.join(os.path.dirname(wanted["hold"]), f".{os.path.basename(wanted['hold'])}"))
    compacted = max((end for _after, end in holds(noted, last_transaction(repository))), default=-1)
    if transaction < compacted:
        module.fail_json(
            msg=f"{repository}: a transaction from {compacted} on is expected, where the admin host last removed archives, but asked for is {transaction}: "
            "what was compacted does not come back. Recover from the bucket's older versions."
        )
    there = segments(repository)
    late = [segment for segment in there if number(segment) > transaction]
    if not any(number(segment) == transaction for segment in there):
        module.fail_json(
            msg=f"{repository}: the segment of transaction {transaction} is expected, but compaction has replaced it: archives hidden before that are gone. "
            "Recover from the bucket's copy or its older versions."
        )
    if os.path.isdir(wanted["aside"]) and os.listdir(wanted["aside"]):
        module.fail_json(msg=f"{wanted['aside']} is expected to be absent or empty, but is not: name another place.")
    if late and not module.check_mode:
        with alone(module, wanted["hold"]):
            move_aside(repository, late, wanted["aside"])
            left = [segment for segment in segments(repository) if number(segment) > transaction]
        if left:
            module.fail_json(msg=f"{repository}: no segment after {transaction} is expected to be left, but {len(left)} are: run it again.")
    change = prediction("borg_rollback", repository, {"segments_aside": 0}, {"transaction": transaction, "segments_aside": len(late)})
    module.exit_json(changed=bool(late), transaction=transaction, segments=len(late), gpulab_prediction=[change] if late else [])


if __name__ == "__main__":
    main()
