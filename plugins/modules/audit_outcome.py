#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_outcome
short_description: End an audit with an exit code
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Fails when the audit found what the policy does not allow. Needs the callback P(gpulab.expansion.audit_report#callback).
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  fail_on:
    description:
      - V(drift) is a change that is predicted where the role was deployed before, V(violation) is a threshold that is over its limit,
        V(gate) is a deployed module whose gate is not open; V(never) is none of these.
      - A host that cannot be reached, or a verification that fails, ends the run by itself.
    type: list
    elements: str
    choices: [drift, violation, gate, never]
    default: [drift, violation]
"""

EXAMPLES = r"""
- name: Fail when something drifted
  gpulab.expansion.audit_outcome:
    fail_on: drift
"""

RETURN = r"""
msg:
  description: What the policy does not allow, in sentences.
  returned: always
  type: str
"""
