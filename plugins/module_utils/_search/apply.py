# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe, plan, apply, read back, for each kind of object that the engine keeps.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._plan.prediction import Tree, prediction, unknown
from .client import ACCESS_SPEC, Client, SearchError, access_of
from .model import KINDS, Kind, User, differing


def predicted(kind: Kind, wanted: Tree, observed: Tree | None, password_right: bool = False) -> Tree | None:
    """The prediction for one object, None when it is as it shall be."""
    absent = wanted["state"] == "absent"
    if absent and observed is None:
        return None
    before, after = (observed, {"state": "absent"}) if absent else differing(kind.desired(wanted), observed)
    if isinstance(kind, User) and not absent and not password_right:
        after = {**after, "password": unknown("secret")}
        before = before and {**before, "password": unknown("secret")}
    return prediction(kind.name, wanted["name"], before, after) if after else None


def module_of(name: str, options: dict[str, t.Any]) -> None:
    """The module C(name), which keeps a list of objects with these C(options)."""
    each = dict(name=dict(type="str", required=True), state=dict(type="str", choices=["present", "absent"], default="present"), **options)
    module = AnsibleModule(
        argument_spec=dict(list=dict(type="list", elements="dict", required=True, options=each), **ACCESS_SPEC),
        supports_check_mode=True,
    )
    kind = KINDS[name](module.params["engine"])
    client = Client(module.run_command, access_of(module.params))
    try:
        client.wait(module.params["wait_seconds"])
        changes = [change for wanted in module.params["list"] for change in [_keep(kind, client, wanted, module.check_mode)] if change]
    except SearchError as exc:
        module.fail_json(msg=str(exc))
    text = ["".join(f"{change['key']}: {change[side]}\n" for change in changes if change[side] is not None) for side in ("before", "after")]
    module.exit_json(changed=bool(changes), state="present", gpulab_prediction=changes, diff=dict(before=text[0], after=text[1]))


def _keep(kind: Kind, client: Client, wanted: Tree, check_mode: bool) -> Tree | None:
    path = kind.path(wanted["name"])

    def read() -> Tree | None:
        return kind.observed(wanted["name"], client.get(path))

    def right() -> bool:
        return isinstance(kind, User) and wanted["state"] == "present" and client.logs_in(kind.login, wanted["name"], wanted["password"])

    observed = read()
    change = predicted(kind, wanted, observed, observed is not None and right())
    if change is None or check_mode:
        return change
    if wanted["state"] == "absent":
        client.delete(path)
    else:
        client.put(path, kind.body(wanted))
    left = predicted(kind, wanted, read(), right())
    if left is not None:
        raise SearchError(
            f"{kind.name} {wanted['name']} is expected to read back as it was written, but differs in {', '.join(left['after'])}: "
            f"it has {left['before']}, and was to have {left['after']}."
        )
    return change
