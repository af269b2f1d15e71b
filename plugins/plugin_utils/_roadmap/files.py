# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roadmap and the directory of requests, on the control node: NAME.yml as people write them, accepted/NAME.json as a phase playbook writes it.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import typing as t

import yaml
from ansible.module_utils.common.yaml import yaml_load

from . import requests
from .model import Roadmap, RoadmapError, load
from .requests import Request, RequestError

FILE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", "playbooks", "files", "roadmap.yml"))


def read_roadmap(path: str | None = None) -> Roadmap:
    """The roadmap in C(path), or the collection's. RoadmapError says what is wrong with it."""
    if not path or os.path.abspath(path) == FILE:
        return _read(FILE)
    own, ours = _read(path), _read(FILE)
    known = {**ours.modules, **ours.supports}
    # a lab's own says when and why; how a module of this collection is deployed is said in the collection
    modules = {
        key: module if module.playbook or key not in known else dataclasses.replace(module, playbook=known[key].playbook, groups=known[key].groups)
        for key, module in own.modules.items()
    }
    supports = {**{key: module for key, module in ours.supports.items() if module.phase in own.phases and key not in modules}, **own.supports}
    return dataclasses.replace(own, modules=modules, supports=supports)


def _read(path: str) -> Roadmap:
    try:
        with open(path, encoding="utf-8") as handle:
            return load(yaml_load(handle), path)
    except OSError as exc:
        raise RoadmapError(f"The roadmap is expected at {path}, but it cannot be read: {exc.strerror}. Correct lab_roadmap.") from exc
    except (UnicodeDecodeError, yaml.YAMLError) as exc:
        raise RoadmapError(f"{path} is expected to be YAML, but is not: {' '.join(str(exc).split())}. Correct it.") from exc


def read_requests(directory: str, modules: t.Collection[str]) -> tuple[list[Request], list[str]]:
    """The requests by name of their file, and a sentence for each file that is no request. No directory: none of either."""
    found, wrong = [], []
    today = datetime.date.today().isoformat()
    for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        if not entry.endswith((".yml", ".yaml")):
            continue
        try:
            with open(os.path.join(directory, entry), encoding="utf-8") as handle:
                data = yaml_load(handle)
            found.append(requests.load(entry, data, modules, today, accepted_on(directory, entry)))
        except RequestError as exc:
            wrong.append(str(exc))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
            wrong.append(f"{entry} is expected to be YAML that can be read, but is not: {' '.join(str(exc).split())}. Correct it.")
    return found, wrong


def record_of(directory: str, name: str) -> str:
    return os.path.join(directory, "accepted", os.path.splitext(name)[0] + ".json")


def accepted_on(directory: str, name: str) -> str:
    """The day on which its module was verified after deployment; empty when it was not."""
    try:
        with open(record_of(directory, name), encoding="utf-8") as handle:
            return str(json.load(handle)["accepted"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise RequestError(
            f"{record_of(directory, name)} is expected to be a record of acceptance, but is not: {exc}. Remove it to have it made anew."
        ) from exc


def accept(directory: str, request: Request, verified: t.Sequence[dict[str, t.Any]]) -> None:
    """Write that the module of C(request) was deployed, with what its verification found."""
    path = record_of(directory, request.name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    record = {"request": request.name, "module": request.module, "accepted": datetime.date.today().isoformat(), "verified": list(verified)}
    with open(path + ".new", "w", encoding="utf-8") as handle:
        json.dump(record, handle, indent=1, ensure_ascii=False)
        handle.write("\n")
    os.replace(path + ".new", path)
