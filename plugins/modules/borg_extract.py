#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_extract
short_description: Restore paths of a Borg archive, aside or to their place
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Extracts into a directory of its own, or to where the paths were; what is there then is kept beside it under another name, never overwritten.
  - A dry run lists what would be written.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  archive:
    description: Name of the archive; when left out, the newest, or the newest that O(before) allows.
    type: str
  before:
    description: Take the newest archive that began at or before this minute (or second) of the host's time, as C(2026-11-24 03:00).
    type: str
  paths:
    description: Absolute paths, as they were on the host; everything when empty.
    type: list
    elements: path
    default: []
  destination:
    description: Directory that does not exist yet, or is empty.
    type: path
  in_place:
    description:
      - Restore O(paths) to where they were. What is there is renamed to C(PATH.before-ARCHIVE) first.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Restore a directory aside
  gpulab.expansion.borg_extract:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    passphrase_file: /etc/gpulab/borg/passphrase
    paths: [/home/alice/thesis]
    destination: /var/tmp/restored

- name: Restore it to its place, as it was at three o'clock
  gpulab.expansion.borg_extract:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    passphrase_file: /etc/gpulab/borg/passphrase
    paths: [/home/alice/thesis]
    before: 2026-11-24 03:00
    in_place: true
"""

RETURN = r"""
archive:
  description: C(name), C(start) and C(end) of the archive.
  returned: always
  type: dict
files:
  description: Number of paths that are, or would be, restored.
  returned: always
  type: int
kept:
  description: By path, the new name of what was there.
  returned: always
  type: dict
gpulab_prediction:
  description: The destination and its number of paths.
  returned: always
  type: list
  elements: dict
"""

import dataclasses
import os
import re
import shutil
import tempfile
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.client import Archive, Borg, BorgError, access_of, access_spec, newest, real_paths, shown
from ..module_utils._prediction import prediction
from ..module_utils._scratch import scratch


def moment(text: str) -> float:
    """Seconds since the epoch of the end of the minute C(2026-11-24 03:00) or second C(2026-11-24 03:00:30), local time.

    ValueError for anything else.
    """
    for pattern, unit in (("%Y-%m-%d %H:%M:%S", 1), ("%Y-%m-%d %H:%M", 60)):
        try:
            return time.mktime(time.strptime(text, pattern)) + unit
        except ValueError:
            continue
    raise ValueError(text)


def choose(archives: t.Sequence[Archive], name: str | None, before: float) -> Archive | None:
    """By name, or the newest that began at or before C(before)."""
    return next((a for a in archives if a.name == name), None) if name else newest(archives, before)


def into_place(borg: Borg, archive: str, path: str, kept: str) -> None:
    """Extracts beside C(path), then exchanges the two by renaming, so that neither is ever half there."""
    beside = tempfile.mkdtemp(prefix=".gpulab-restore-", dir=os.path.dirname(path))
    try:
        borg.extract(archive, [path.lstrip("/")], beside)
        if os.path.lexists(path):
            os.rename(path, kept)
        os.rename(beside + path, path)
    finally:
        shutil.rmtree(beside)


def no_archive(module: AnsibleModule, archives: t.Sequence[Archive]) -> t.NoReturn:
    wanted = module.params
    asked = wanted["archive"] or (f"from {wanted['before']} or earlier" if wanted["before"] else "(newest)")
    found = f"{shown(archives[0].name)} to {shown(archives[-1].name)}" if archives else "none"
    module.fail_json(msg=f"repository {wanted['repository']}: an archive {asked} is expected, but found are: {found}. Choose one of them.")
    raise AssertionError("fail_json ends the module")


def main() -> None:
    module = AnsibleModule(
        argument_spec=access_spec(
            archive=dict(type="str"),
            before=dict(type="str"),
            paths=dict(type="list", elements="path", default=[]),
            destination=dict(type="path"),
            in_place=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
        mutually_exclusive=[("archive", "before")],
        required_if=[("in_place", False, ("destination",)), ("in_place", True, ("paths",))],
    )
    wanted = module.params
    destination, paths = wanted["destination"], [path.rstrip("/") for path in wanted["paths"]]
    if destination and os.path.isdir(destination) and os.listdir(destination):
        module.fail_json(
            msg=f"{destination} is expected to be absent or empty, but is not: nothing is restored over what is there, choose another destination."
        )
    try:
        before = moment(wanted["before"]) if wanted["before"] else time.time()
    except ValueError:
        module.fail_json(msg=f"before is expected as 2026-11-24 03:00, in the host's time, but is {wanted['before']!r}: write it like that.")
    borg = Borg(module.run_command, access_of(wanted, scratch()))
    inside = [path.lstrip("/") for path in paths]
    in_place = paths if wanted["in_place"] else []
    try:
        archives = borg.read().archives
        archive = choose(archives, wanted["archive"], before) or no_archive(module, archives)
        listed = borg.list_paths(archive.name, inside)
        lacking = [path for path in inside if not any(name == path or name.startswith(path + "/") for name in listed)]
        if lacking or not listed:
            module.fail_json(msg=f"archive {shown(archive.name)}: /{(lacking or ['everything'])[0]} is expected in it, but is not: list it with borg list.")
        kept = {path: f"{path}.before-{re.sub('[^A-Za-z0-9_.:+-]', '_', archive.name)[:100]}" for path in in_place if os.path.lexists(path)}
        for path in in_place:
            above = os.path.dirname(path)
            if not os.path.isdir(above):
                module.fail_json(msg=f"{above} is expected to be a directory, so that {path} can be restored into it, but is not: restore it first.")
            if path in kept and os.path.lexists(kept[path]):
                module.fail_json(msg=f"{kept[path]} is expected to be free for what is at {path} now, but an earlier restore left it: move it away.")
        if not module.check_mode:
            if destination:
                os.makedirs(destination, mode=0o700, exist_ok=True)
                borg.extract(archive.name, inside, destination)
            for path in in_place:
                into_place(borg, archive.name, path, kept.get(path, ""))
            lost = [name for name in listed if not real_paths(f"{destination or ''}/", name)]
            if lost:
                module.fail_json(
                    msg=f"archive {shown(archive.name)}: all of {len(listed)} paths are expected to be there now, but {len(lost)} are not: /{shown(lost[0])}."
                )
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    where = destination or ", ".join(paths)
    after: dict[str, t.Any] = {"archive": archive.name, "files": len(listed)}
    change = prediction("restore", where, None, {**after, **({"kept": sorted(kept.values())} if kept else {})}, [f"keeps {k}" for k in sorted(kept.values())])
    text = "".join(f"{destination or ''}/{shown(path)}\n" for path in listed)
    module.exit_json(
        changed=True, archive=dataclasses.asdict(archive), files=len(listed), kept=kept, gpulab_prediction=[change], diff=dict(before="", after=text)
    )


if __name__ == "__main__":
    main()
