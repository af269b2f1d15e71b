# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils._borg.client import lost
from ..module_utils._prediction import Tree, prediction, unknown
from ..plugin_utils._borg import ClientAction


class ActionModule(ClientAction):
    def brings(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("borg_repository", str(args.get("repository")))}

    def predict(self, args: dict[str, t.Any]) -> Tree | None:
        if boolean(args.get("found_on_server", False)):
            return None
        gone = lost(str(args.get("repository")), str(args.get("known_id") or ""), None)
        if gone:
            raise AnsibleActionFail(gone)
        after = {"encryption": args.get("encryption", "repokey-blake2"), "id": unknown("generated")}
        return prediction("borg_repository", str(args.get("repository")), None, after)
