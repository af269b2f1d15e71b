# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A liar: predicts a change that the real run does not make."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    change = {"kind": "file", "key": "/etc/liar", "before": None, "after": {"type": "file"}, "impact": []}
    module.exit_json(changed=module.check_mode, gpulab_prediction=[change] if module.check_mode else [])


if __name__ == "__main__":
    main()
