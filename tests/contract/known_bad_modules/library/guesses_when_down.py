# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A liar: takes an engine that does not answer for one that has nothing yet, and predicts "create"."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    engine_answers = not os.path.exists("/run/engine-is-down")
    absent = not engine_answers or not os.path.exists("/etc/object")
    if module.check_mode:
        change = {"kind": "object", "key": "a", "before": None, "after": {"name": "a"}, "impact": []}
        module.exit_json(changed=absent, gpulab_prediction=[change] if absent else [])
    if not engine_answers:
        module.fail_json(msg="the engine does not answer")
    if absent:
        with open("/etc/object", "w", encoding="ascii") as handle:
            handle.write("a")
    change = {"kind": "object", "key": "a", "before": None, "after": {"name": "a"}, "impact": []}
    module.exit_json(changed=absent, gpulab_prediction=[change] if absent else [])


if __name__ == "__main__":
    main()
