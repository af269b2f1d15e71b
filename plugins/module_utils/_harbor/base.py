# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all objects of Harbor have in common.

Only what was asked for is compared, because Harbor has a value for everything. It takes most values without looking, so they are looked at here.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._json_api import ApiError, access_of
from .._objects import Coming, Kind
from .._prediction import Tree
from .._sealed import SealedModule
from .client import ACCESS_SPEC, Access, Client


class HarborKind(Kind):
    access = ACCESS_SPEC
    see = "See whether this Harbor knows that"

    @classmethod
    def connect(cls, module: SealedModule) -> Client:
        return Client(access_of(Access, module.plain))

    @property
    def client(self) -> Client:
        if self._client is None:
            raise ApiError(f"{self.name} is expected to ask Harbor, but this run has yet to start it.")
        return t.cast("Client", self._client)


class InProject(HarborKind):
    """What belongs to a project, or to all of them where that can be."""

    def project(self, wanted: Tree) -> Tree:
        name = str(wanted["project"])
        found = self.client.project(name)
        if self.going & {("harbor_project", name), ("harbor_proxy_cache", name)}:
            raise ApiError(f"{self.name} {self.key(wanted)}: project {name} is expected to stay, but the same list removes it before: list this one first.")
        if found is None and self.coming & {("harbor_project", name), ("harbor_proxy_cache", name)}:
            raise Coming
        if found is None:
            raise ApiError(f"{self.name} {self.key(wanted)}: project {name} is expected to be there, but is not: make it first, or correct its name.")
        return t.cast("Tree", found)

    def number(self, wanted: Tree) -> int:
        return int(self.project(wanted)["project_id"])


def endpoint_number(kind: HarborKind, what: str, name: str) -> int:
    """The number of an endpoint, or the sentence that there is none."""
    found = next(iter(kind.client.where("/registries", "name", name)), None)
    if found is None and ("harbor_registry_endpoint", name) in kind.coming:
        raise Coming
    if found is None:
        raise ApiError(f"{what}: endpoint {name} is expected to be there, but is not: make it first, or correct its name.")
    return int(found["id"])


def cron_problem(what: str, text: str) -> str:
    """The sentence for what is none of Harbor's schedules, whose first field are seconds."""
    fields = text.split()
    if len(fields) == 6 and all(re.fullmatch(r"[\d*/,?A-Z-]+", field) for field in fields):
        return ""
    return f"{what}: a cron of six fields is expected, seconds first, as 0 0 3 * * *, but it is {text!r}: correct it."


def pattern_of(selector: Tree) -> str:
    """A pattern of what does not match is told with a !, so that it differs from what it is taken for."""
    return ("!" if "xclude" in selector["decoration"] else "") + str(selector["pattern"])
