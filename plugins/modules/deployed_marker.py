#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployed_marker
short_description: Note on a host what was deployed and verified there
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - As the last task of a role, writes the local fact C(gpulab_<role>) with the role, the version of the collection, a digest of
    the role's public variables (without secrets) and the time at which this deployment was first verified.
  - The audit takes from it what is deployed, and what has drifted since.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  part:
    description: Entry point of the role that was deployed, as in its argument specification.
    type: str
    default: main
"""

EXAMPLES = r"""
- name: Note what was deployed
  gpulab.expansion.deployed_marker:
"""

RETURN = r"""
gpulab_prediction:
  description: The marker, when it differs.
  returned: always
  type: list
  elements: dict
"""
