# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A liar: writes during the dry run, into a file that is there, with its size and time kept."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    if module.check_mode:
        info = os.stat("/etc/hostname")
        with open("/etc/debian_version", "r+", encoding="ascii") as handle:
            first = handle.read(1)
            handle.seek(0)
            handle.write(first)
        os.utime("/etc/debian_version", ns=(info.st_atime_ns, info.st_mtime_ns))
    module.exit_json(changed=False, gpulab_prediction=[])


if __name__ == "__main__":
    main()
