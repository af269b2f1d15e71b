# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what it is told in the dry run and in the real one, and says what it is told: known_bad_modules/table.py has what that is."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            dry=dict(type="list", elements="str", default=[]),
            real=dict(type="list", elements="str", default=[]),
            predicted=dict(type="list", elements="dict", default=[]),
            told=dict(type="list", elements="dict", default=[]),
        ),
        supports_check_mode=True,
    )
    for script in module.params["dry" if module.check_mode else "real"]:
        module.run_command(["sh", "-c", script], check_rc=True)
    said = module.params["predicted" if module.check_mode else "told"]
    module.exit_json(changed=bool(said), gpulab_prediction=said)


if __name__ == "__main__":
    main()
