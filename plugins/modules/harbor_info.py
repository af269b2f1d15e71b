#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_info
short_description: Read how Harbor is
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads its version and health, how full its projects are, when its robots end, and when garbage is collected.
extends_documentation_fragment:
  - gpulab.expansion.harbor
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.sealed
"""

EXAMPLES = r"""
- name: How is the registry
  gpulab.expansion.harbor_info:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
  register: registry

- name: No project is nearly full
  ansible.builtin.assert:
    that: registry.projects | selectattr('limit_bytes') | selectattr('used_ratio', '>', 0.9) | length == 0
"""

RETURN = r"""
version:
  description: Its version.
  returned: always
  type: str
status:
  description: V(healthy), or V(unhealthy) when a component is not.
  returned: always
  type: str
unhealthy:
  description: Names of the components that are not healthy.
  returned: always
  type: list
  elements: str
projects:
  description: C(name), C(public), C(repositories), C(used_bytes), C(limit_bytes) (none without a limit) and C(used_ratio) of each project.
  returned: always
  type: list
  elements: dict
robots:
  description: C(name), C(disabled) and C(days_left) (none for one that does not end) of each robot.
  returned: always
  type: list
  elements: dict
gc_cron:
  description: When garbage is collected, empty for never; nothing else frees space.
  returned: always
  type: str
"""

import time
import typing as t

from ..module_utils._harbor.client import ACCESS_SPEC, Access, Client
from ..module_utils._json_api import ApiError, access_of
from ..module_utils._sealed import SealedModule


def main() -> None:
    module = SealedModule(argument_spec=dict(**ACCESS_SPEC), supports_check_mode=True)
    try:
        module.exit_json(changed=False, **_read(Client(access_of(Access, module.plain))))
    except ApiError as exc:
        module.fail_json(msg=str(exc))


def _read(client: Client) -> dict[str, t.Any]:
    health = client.get("/health")
    quotas = {row["ref"]["id"]: row for row in client.all("/quotas", reference="project")}
    projects = client.all("/projects")
    robots = client.all("/robots", q="Level=system")
    for project in projects:
        robots += client.all("/robots", q=f"Level=project,ProjectID={project['project_id']}")
    gc = client.get("/system/gc/schedule")
    return {
        "version": client.get("/systeminfo").get("harbor_version", ""),
        "status": health["status"],
        "unhealthy": sorted(row["name"] for row in health["components"] if row["status"] != "healthy"),
        "projects": [_project(project, quotas.get(project["project_id"])) for project in projects],
        "robots": [_robot(row) for row in robots],
        "gc_cron": gc["schedule"]["cron"] if gc else "",
    }


def _project(project: dict[str, t.Any], quota: dict[str, t.Any] | None) -> dict[str, t.Any]:
    used = quota["used"]["storage"] if quota else 0
    limit = quota["hard"]["storage"] if quota and quota["hard"]["storage"] > 0 else None
    return {
        "name": project["name"],
        "public": project["metadata"].get("public") == "true",
        "repositories": project.get("repo_count", 0),
        "used_bytes": used,
        "limit_bytes": limit,
        "used_ratio": used / limit if limit else 0.0,
    }


def _robot(row: dict[str, t.Any]) -> dict[str, t.Any]:
    left = None if row["expires_at"] == -1 else (row["expires_at"] - time.time()) / 86400
    return {"name": row["name"], "disabled": row["disable"], "days_left": left}


if __name__ == "__main__":
    main()
