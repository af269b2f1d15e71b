# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roadmap file on the control node.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os

import yaml
from ansible.module_utils.common.yaml import yaml_load

from ..module_utils._roadmap.model import Roadmap, RoadmapError, load

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "playbooks", "files", "roadmap.yml")


def read(path: str | None = None) -> Roadmap:
    """The roadmap in C(path), or the collection's. RoadmapError says what is wrong with it."""
    path = path or FILE
    try:
        with open(path, encoding="utf-8") as handle:
            return load(yaml_load(handle), path)
    except OSError as exc:
        raise RoadmapError(f"The roadmap is expected at {path}, but it cannot be read: {exc.strerror}. Correct lab_roadmap.") from exc
    except (UnicodeDecodeError, yaml.YAMLError) as exc:
        raise RoadmapError(f"{path} is expected to be YAML, but is not: {' '.join(str(exc).split())}. Correct it.") from exc
