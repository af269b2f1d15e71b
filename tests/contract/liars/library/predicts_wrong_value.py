# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A liar: predicts the right change with a wrong value."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    absent = not os.path.exists("/etc/liar-mode")
    if absent and not module.check_mode:
        with open("/etc/liar-mode", "w", encoding="ascii") as handle:
            handle.write("x")
        os.chmod("/etc/liar-mode", 0o644)
    change = {"kind": "file", "key": "/etc/liar-mode", "before": None, "after": {"type": "file", "mode": "0600"}, "impact": []}
    module.exit_json(changed=absent, gpulab_prediction=[change] if absent else [])


if __name__ == "__main__":
    main()
