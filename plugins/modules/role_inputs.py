#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_inputs
short_description: Hold a role's variables against its argument specification, with a sentence for each that is wrong
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Used in the preflight of a role. Names the variable, what is expected, what was found and where to correct it, and finds
    misspelled names, which ansible-core lets pass.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  parts:
    description: Entry points of the role that the host runs.
    type: list
    elements: str
    default: [main]
  facts:
    description: Facts that the role sets under its own name.
    type: list
    elements: str
    default: []
  near:
    description: Whether a variable with the role's prefix that resembles none of its own is let be.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Preflight | The inputs are as specified
  gpulab.expansion.role_inputs:
    parts: [server]
"""

RETURN = r"""
msg:
  description: What is wrong, in a sentence.
  returned: always
  type: str
"""
