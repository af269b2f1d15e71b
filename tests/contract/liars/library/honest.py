# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No liar: the harness must have nothing to say."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    absent = not os.path.exists("/etc/honest")
    if absent and not module.check_mode:
        os.mkdir("/etc/honest", 0o755)
    after = {"type": "directory", "mode": "0755", "owner": "root"}
    change = {"kind": "directory", "key": "/etc/honest", "before": None, "after": after, "impact": []}
    module.exit_json(changed=absent, gpulab_prediction=[change] if absent else [])


if __name__ == "__main__":
    main()
