#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Write several directories and files in one execution
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Brings directories and files to a content, owner, group and mode, in the order given.
  - Each file is replaced atomically. A path that is something else than wanted is an error; nothing is deleted.
  - Roles use M(gpulab.expansion.resources), which plans first and then writes through this module.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
options:
  entries:
    description: What shall be there.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where.
        type: path
        required: true
      type:
        description: What.
        type: str
        choices: [directory, file]
        required: true
      content:
        description: Text of a file. Never logged or returned, nor is its digest, unless everybody may read the file.
        type: str
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Mode as four octal digits.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Write a directory and a file in it
  gpulab.expansion.files:
    entries:
      - {path: /etc/lab, type: directory, mode: "0755"}
      - {path: /etc/lab/motd, type: file, mode: "0644", content: "Welcome\n"}
"""

RETURN = r"""
gpulab_prediction:
  description: The entries that differed, with what they were and what they are now.
  returned: always
  type: list
  elements: dict
"""

import grp
import hashlib
import os
import pwd
import tempfile
import typing as t

from ..module_utils._host import others_read, read_path
from ..module_utils._prediction import difference, prediction, project, unknown
from ..module_utils._sealed import SealedModule

HIDDEN = {"sha256": unknown("secret")}  # of what others may not read: a digest of a password lets it be guessed offline


def write(wanted: dict[str, t.Any], exists: bool, new_content: bool) -> None:
    """A file gets its owner and mode before its name, so that no secret is ever readable by others."""
    path = wanted["path"]
    owner, group = pwd.getpwnam(wanted["owner"]).pw_uid, grp.getgrnam(wanted["group"]).gr_gid
    handle, target = -1, path
    if wanted["type"] == "directory" and not exists:
        os.mkdir(path, 0o700)
    elif new_content:
        handle, target = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".gpulab-")
    try:
        if handle >= 0:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(wanted["content"] or "")
                stream.flush()
                os.fsync(stream.fileno())
        os.chown(target, owner, group)
        os.chmod(target, int(wanted["mode"], 8))
        if target != path:
            os.replace(target, path)
    except BaseException:
        if target != path:
            os.unlink(target)
        raise


def main() -> None:
    entry = dict(
        path=dict(type="path", required=True),
        type=dict(type="str", choices=["directory", "file"], required=True),
        content=dict(type="str", no_log=True),
        owner=dict(type="str", default="root"),
        group=dict(type="str", default="root"),
        mode=dict(type="str", required=True),
    )
    module = SealedModule(
        argument_spec=dict(entries=dict(type="list", elements="dict", required=True, options=entry)),
        supports_check_mode=True,
    )
    predictions = []
    for wanted in module.plain["entries"]:
        path = wanted["path"]
        desired = {k: wanted[k] for k in ("type", "owner", "group", "mode")}
        if wanted["type"] == "file":
            desired["sha256"] = hashlib.sha256((wanted["content"] or "").encode()).hexdigest()
        observed = read_path(path)
        if observed and observed["type"] != wanted["type"]:
            module.fail_json(msg=f"{path} is expected to be a {wanted['type']}, but is a {observed['type']}: move it away first.", path=path)
        after = difference(desired, observed)
        if not after:
            continue
        change = prediction(wanted["type"], path, observed and project(observed, after), after)
        if not others_read(wanted["mode"]):
            change = {**change, **{side: {**change[side], **HIDDEN} for side in ("before", "after") if "sha256" in (change[side] or {})}}
        predictions.append(change)
        if module.check_mode:
            continue
        try:
            write(wanted, bool(observed), "sha256" in after)
        except (OSError, KeyError) as exc:
            module.fail_json(msg=f"{path} is expected to become writable as {wanted['owner']}:{wanted['group']} {wanted['mode']}, but: {exc}", path=path)
    module.exit_json(changed=bool(predictions), gpulab_prediction=predictions)


if __name__ == "__main__":
    main()
