#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_info
short_description: Read the NVIDIA GPUs of a host
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads identity, memory, utilisation, temperature, power, clocks, throttle reasons, ECC, MIG, NVLink and processes of
    every GPU through NVML.
  - A host without GPU, driver or library is a result with a RV(state) and a sentence, never a failure. So is a driver that
    does not match its library or that hangs, a GPU that fell off the bus, and a single field that cannot be read.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  python_env:
    description:
      - Virtual environment that has nvidia-ml-py, when the interpreter of the module does not.
    type: path
  python_path:
    description: Directory that has C(pynvml.py), when neither has nvidia-ml-py.
    type: path
  seconds:
    description: Read for so long, once a second or ten times, for RV(series); 0 reads once.
    type: float
requirements:
  - nvidia-ml-py
"""

EXAMPLES = r"""
- name: Read the GPUs
  gpulab.expansion.gpu_info:
    python_env: /opt/gpulab/gpu_node
  register: reading

- name: No GPU is hotter than 85 degrees
  ansible.builtin.assert:
    that: reading.gpus | rejectattr('temperature_celsius', 'none') | selectattr('temperature_celsius', '>', 85) | length == 0
"""

RETURN = r"""
state:
  description:
    - V(ok), V(degraded) (a GPU is lost or does not answer), V(no_gpu), V(no_driver), V(mismatch), V(no_library), V(failed); V(pending) in a dry
      run that would first install the library.
  returned: always
  type: str
  sample: ok
message:
  description: What RV(state) means here and what to do.
  returned: always
  type: str
driver_version:
  description: Version of the kernel driver.
  returned: always
  type: str
  sample: 550.54.14
cuda_version:
  description: Newest CUDA that the driver supports.
  returned: always
  type: str
  sample: "12.4"
nvml_version:
  description: Version of NVML.
  returned: always
  type: str
gpus:
  description: One record for each GPU; values not read are none, with the reason in C(unreadable).
  returned: always
  type: list
  elements: dict
  sample:
    - index: 0
      state: ok
      uuid: GPU-0b7c7d68-5d6d-4000-8000-000000000000
      name: NVIDIA GeForce RTX 4090
      compute_capability: "8.9"
      pci_bus_id: 00000000:01:00.0
      memory_total_mib: 24564
      memory_used_mib: 20000
      utilization_percent: 97
      memory_utilization_percent: 0
      temperature_celsius: 71
      power_watts: 412.0
      power_limit_watts: 450.0
      clock_graphics_mhz: 210
      clock_memory_mhz: 405
      throttle_reasons: [sw_power_cap]
      ecc: not supported
      ecc_uncorrected:
      ecc_uncorrected_volatile:
      remap_pending:
      remap_failure:
      mig: not supported
      nvlink_active: not supported
      nvlink_down:
      processes: [{pid: 4711, user: alice, name: python, memory_mib: 19000}]
      unreadable: {}
unlisted:
  description: GPUs on the PCI bus that NVML does not list, and the kernel driver that holds each, as V(vfio-pci); empty when none does.
  returned: always
  type: list
  elements: dict
  sample: [{pci_bus_id: "0000:c1:00.0", driver: ""}]
series:
  description:
    - What M(gpulab.expansion.gpu_threshold_check) judges. C(metric), C(device), C(samples) of seconds since the epoch and value, and
      C(reason) when there are none. Xids are those of the kernel log of one day that speak of hardware.
  returned: when O(seconds) is given
  type: list
  elements: dict
"""

import glob
import os
import sys
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._gpu.nvml import Reader
from ..module_utils._gpu.series import series
from ..module_utils._gpu.xid import messages


def kernel_log(module: AnsibleModule) -> list[str] | None:
    """Xids of a day, none when there is no such log. What journald read from the kernel, which nobody else can write."""
    # not --dmesg, which tells of this boot alone: who was told to power the host off would find it well
    argv = ["journalctl", "--quiet", "--no-pager", "_TRANSPORT=kernel", "--since=-24h", "--output=json", "--output-fields=MESSAGE", "--grep=NVRM: Xid"]
    code, out, err = module.run_command(argv, handle_exceptions=False) if module.get_bin_path("journalctl") else (2, "", "")
    return messages(out) if code == 0 or (code == 1 and not err) else None


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(python_env=dict(type="path"), python_path=dict(type="path"), seconds=dict(type="float")), supports_check_mode=True
    )
    seconds = module.params["seconds"]
    if module.params["python_env"]:
        sys.path += glob.glob(os.path.join(glob.escape(module.params["python_env"]), "lib", "python3*", "site-packages"))
    sys.path += [module.params["python_path"]] if module.params["python_path"] else []
    try:
        import pynvml
    except ImportError:
        pynvml = None
    reader = Reader(pynvml)
    readings = [(time.time(), reader.read())]
    until = time.monotonic() + (seconds or 0)
    while readings[-1][1].gpus and time.monotonic() < until:
        time.sleep(min(1.0, seconds / 10, max(until - time.monotonic(), 0.0)))
        readings.append((time.time(), reader.read()))
    more = {} if seconds is None else {"series": series(readings, kernel_log(module))}
    module.exit_json(changed=False, **readings[-1][1].as_dict(), **more)


if __name__ == "__main__":
    main()
