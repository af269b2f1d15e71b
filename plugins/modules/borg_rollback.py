#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_rollback
short_description: Bring back archives that a client has hidden, by going back in a repository's transaction log
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - A client that may only append can still append a list of archives that lacks some. As long as nothing was compacted, going back to the last
    transaction before that brings them back.
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
    description: Seconds since the epoch; the last transaction at or before it is the one to go back to.
    type: float
    required: true
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
    before: 1795503600
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

from ..module_utils._borg.offsite import number, segments
from ..module_utils._borg.rollback import RollbackError, last_before
from ..module_utils._plan.prediction import prediction


@contextlib.contextmanager
def alone(module: AnsibleModule, hold: str) -> t.Iterator[None]:
    with open(hold, "a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            module.fail_json(msg=f"{hold} is expected to be free, but a session of the client or retention has it: stop the client's backups first.")
        yield


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
            before=dict(type="float", required=True),
            aside=dict(type="path", required=True),
            hold=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    repository = wanted["repository"]
    try:
        with open(f"{repository}/transactions", encoding="utf-8") as handle:
            log = handle.read()
    except OSError as exc:
        module.fail_json(
            msg=f"{repository}: a log of transactions is expected, which append-only sessions write, but: {exc.strerror}. Recover from the bucket."
        )
    try:
        transaction = last_before(log, wanted["before"])
    except RollbackError as exc:
        module.fail_json(msg=f"{repository}: {exc}")
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
