# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Harbor keeps, in one form in which what was asked for and what is read back can be compared.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Only what was asked for is compared, because Harbor has a value for everything. It takes most values without looking, so they are looked at here.
"""

from __future__ import annotations

import os
import re
import typing as t

from .client import Client, HarborError

Tree = t.Dict[str, t.Any]
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
ROLES = {"project_admin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limited_guest": 5}
SEVERITIES = ("none", "low", "medium", "high", "critical")
_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Kind:
    """One kind of object. C(found) is what Harbor says of it, as observed() has returned it."""

    name: t.ClassVar[str]

    def __init__(self, client: Client) -> None:
        self.client = client

    def key(self, wanted: Tree) -> str:
        return str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        """What is wrong with what is wanted, as a sentence, or nothing."""
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        """The object as Harbor tells it, None when it is not there."""
        raise AssertionError("each kind answers")

    def desired(self, wanted: Tree) -> Tree:
        """The object as it shall be, in the form that is compared."""
        raise AssertionError("each kind answers")

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        """The object as it is, in the same form."""
        raise AssertionError("each kind answers")

    def create(self, wanted: Tree) -> t.Any:
        raise AssertionError("each kind answers")

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        raise AssertionError("each kind answers")

    def delete(self, wanted: Tree, found: Tree) -> None:
        raise AssertionError("each kind answers")


class Project(Kind):
    name = "harbor_project"
    _flags = ("public", "auto_scan", "prevent_vul", "auto_sbom_generation", "enable_content_trust_cosign")

    def problem(self, wanted: Tree) -> str:
        if not NAME.fullmatch(wanted["name"]) or len(wanted["name"]) > 255:
            return f"project {wanted['name']}: a name of lower-case letters, digits and single . _ - between them is expected, but it is not one: rename it."
        if wanted.get("storage_limit") is not None and size(wanted["storage_limit"]) is None:
            return f"project {wanted['name']}: storage_limit is expected as 500 GiB, or -1 for none, but is {wanted['storage_limit']!r}: correct it."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.get(f"/projects/{wanted['name']}")
        # an old project whose name is a number would be taken for its id
        if found is None or found["name"] != wanted["name"]:
            return None
        quota = self.client.get("/quotas", reference="project", reference_id=found["project_id"]) if wanted.get("storage_limit") is not None else None
        return {**found, "quota": quota[0] if quota else None}

    def desired(self, wanted: Tree) -> Tree:
        told: Tree = {flag: wanted[flag] for flag in self._flags if wanted.get(flag) is not None}
        if wanted.get("severity") is not None:
            told["severity"] = wanted["severity"]
        if wanted.get("storage_limit") is not None:
            told["storage_limit"] = size(wanted["storage_limit"])
        return told

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        metadata = found["metadata"]
        told: Tree = {flag: str(metadata.get(flag, "false")).lower() == "true" for flag in self._flags if wanted.get(flag) is not None}
        if wanted.get("severity") is not None:
            told["severity"] = metadata.get("severity", "")
        if wanted.get("storage_limit") is not None:
            told["storage_limit"] = found["quota"]["hard"]["storage"] if found["quota"] else -1
        return told

    def create(self, wanted: Tree) -> t.Any:
        told = self.desired(wanted)
        limit = told.pop("storage_limit", None)
        body: Tree = {"project_name": wanted["name"], "metadata": {"public": "false", **_words(told)}}
        return self.client.write("POST", "/projects", {**body, **({"storage_limit": limit} if limit is not None else {})})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        told = {name: value for name, value in self.desired(wanted).items() if name in differing}
        limit = told.pop("storage_limit", None)
        if limit is not None:
            used = found["quota"]["used"]["storage"]
            if 0 <= limit < used:
                raise HarborError(
                    f"project {wanted['name']}: a storage_limit of at least what it has ({used} bytes) is expected, but {limit} is asked for: "
                    "remove images first, or allow more."
                )
            self.client.write("PUT", f"/quotas/{found['quota']['id']}", {"hard": {"storage": limit}})
        if told:
            self.client.write("PUT", f"/projects/{found['project_id']}", {"metadata": _words(told)})

    def delete(self, wanted: Tree, found: Tree) -> None:
        if found["repo_count"]:
            raise HarborError(
                f"project {wanted['name']} is expected to be empty before it is removed, but has {found['repo_count']} repositories: "
                "remove them first, nothing was removed."
            )
        self.client.write("DELETE", f"/projects/{found['project_id']}")


class Member(Kind):
    name = "harbor_project_member"

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['username']}"

    def _project(self, wanted: Tree) -> Tree:
        found = self.client.get(f"/projects/{wanted['project']}")
        if found is None or found["name"] != wanted["project"]:
            raise HarborError(
                f"member {self.key(wanted)}: project {wanted['project']} is expected to be there, but is not: make it first, or correct its name."
            )
        return t.cast("Tree", found)

    def found(self, wanted: Tree) -> Tree | None:
        number = self._project(wanted)["project_id"]
        rows = self.client.all(f"/projects/{number}/members", entityname=wanted["username"])
        return next((row for row in rows if row["entity_name"] == wanted["username"] and row["entity_type"] == "u"), None)

    def desired(self, wanted: Tree) -> Tree:
        return {"role": wanted["role"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"role": next((name for name, number in ROLES.items() if number == found["role_id"]), str(found["role_id"]))}

    def create(self, wanted: Tree) -> t.Any:
        body = {"role_id": ROLES[wanted["role"]], "member_user": {"username": wanted["username"]}}
        return self.client.write("POST", f"/projects/{self._project(wanted)['project_id']}/members", body)

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/projects/{found['project_id']}/members/{found['id']}", {"role_id": ROLES[wanted["role"]]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}/members/{found['id']}")


class Robot(Kind):
    """Harbor names a robot of a project robot$PROJECT+NAME, and one of the system robot$NAME. Its secret is told once."""

    name = "harbor_robot"

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}+{wanted['name']}" if wanted.get("project") else str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        if not NAME.fullmatch(wanted["name"]):
            return f"robot {wanted['name']}: a name of lower-case letters, digits and single . _ - between them is expected, but it is not one: rename it."
        if wanted["days"] < 1 and wanted["days"] != -1:
            return f"robot {self.key(wanted)}: days of 1 or more are expected, or -1 for ever, but {wanted['days']} is asked for: correct it."
        if wanted["state"] == "present" and not wanted["access"]:
            return f"robot {self.key(wanted)}: access is expected, as repository:pull, but none is given: say what it may do."
        if wanted["state"] == "present" and wanted.get("secret_file") and not os.path.isdir(os.path.dirname(wanted["secret_file"])):
            return f"robot {self.key(wanted)}: the directory of secret_file {wanted['secret_file']} is expected, but is not there: make it first."
        wrong = [each for each in wanted["access"] if not re.fullmatch(r"[a-z-]+:[a-z]+", each)]
        if wrong:
            return f"robot {self.key(wanted)}: access is expected as repository:pull, but one is {wrong[0]!r}: correct it."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        if wanted.get("project"):
            project = self.client.get(f"/projects/{wanted['project']}")
            if project is None:
                raise HarborError(
                    f"robot {self.key(wanted)}: project {wanted['project']} is expected to be there, but is not: make it first, or correct its name."
                )
            rows = self.client.all("/robots", q=f"Level=project,ProjectID={project['project_id']}")
        else:
            rows = self.client.all("/robots", q="Level=system")
        # the prefix can be configured, what comes after it cannot
        return next((row for row in rows if row["name"].endswith(self.key(wanted)) and re.fullmatch(r"\W*\w*\W+", row["name"][: -len(self.key(wanted))])), None)

    def desired(self, wanted: Tree) -> Tree:
        return {
            "days": wanted["days"],
            "description": wanted["description"],
            "disabled": wanted["disabled"],
            "access": {wanted.get("project") or "*": sorted(wanted["access"])},
            **({"secret_file": "present"} if wanted.get("secret_file") else {}),
        }

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        access = {row["namespace"]: sorted(f"{each['resource']}:{each['action']}" for each in row["access"]) for row in found["permissions"]}
        told = {"days": found["duration"], "description": found.get("description", ""), "disabled": found["disable"], "access": access}
        if wanted.get("secret_file"):
            told["secret_file"] = "present" if os.path.exists(wanted["secret_file"]) else "absent"
            if told["secret_file"] == "absent" and not wanted["renew_secret"]:
                raise HarborError(
                    f"robot {self.key(wanted)}: its secret is expected in {wanted['secret_file']}, but is not there, and Harbor tells it once: "
                    "put the file back, or set renew_secret, by which whoever has the old one is shut out."
                )
        return told

    def _body(self, wanted: Tree) -> Tree:
        access = [dict(zip(("resource", "action"), each.split(":"))) for each in wanted["access"]]
        return {
            "duration": wanted["days"],
            "level": "project" if wanted.get("project") else "system",
            "description": wanted["description"],
            "disable": wanted["disabled"],
            "permissions": [{"kind": "project", "namespace": wanted.get("project") or "*", "access": access}],
        }

    def create(self, wanted: Tree) -> t.Any:
        made = self.client.write("POST", "/robots", {**self._body(wanted), "name": wanted["name"]})
        self._keep(wanted, made["secret"])
        return made

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        if differing - {"secret_file"}:
            self.client.write("PUT", f"/robots/{found['id']}", {**self._body(wanted), "name": found["name"], "id": found["id"]})
        if "secret_file" in differing:
            self._keep(wanted, self.client.write("PATCH", f"/robots/{found['id']}", {"secret": ""})["secret"])

    def _keep(self, wanted: Tree, secret: str) -> None:
        """Into a file that nobody else can read at any moment."""
        if wanted.get("secret_file"):
            with os.fdopen(os.open(wanted["secret_file"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
                os.fchmod(out.fileno(), 0o600)
                out.write(secret + "\n")

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/robots/{found['id']}")


KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Project, Member, Robot)}


def size(text: t.Any) -> int | None:
    """Bytes of C(500 GiB), C(1048576) or C(-1); None of anything else."""
    found = re.fullmatch(r"(-1|[1-9]\d*) ?([KMGT]iB)?", str(text).strip())
    if not found or (found[1] == "-1" and found[2]):
        return None
    return int(found[1]) * _UNITS[found[2] or ""]


def _words(metadata: Tree) -> dict[str, str]:
    """Harbor keeps all of a project's metadata as text."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in metadata.items()}
