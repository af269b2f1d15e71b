# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A liar: changes the host without having predicted it."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    there = os.path.exists("/etc/liar")
    if module.check_mode:
        module.exit_json(changed=False, gpulab_prediction=[])
    with open("/etc/liar", "w", encoding="ascii") as handle:
        handle.write("x")
    change = {"kind": "file", "key": "/etc/liar", "before": None, "after": {"type": "file"}, "impact": []}
    module.exit_json(changed=not there, gpulab_prediction=[] if there else [change])


if __name__ == "__main__":
    main()
