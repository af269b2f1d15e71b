# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what in Harbor: members of projects, robots, users.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._json_api import ApiError
from .._prediction import Tree, unknown
from .base import HarborKind, InProject
from .client import NAME

ROLES = {"project_admin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limited_guest": 5}


class Member(InProject):
    name = "harbor_project_member"
    options = dict(
        project=dict(type="str", required=True),
        username=dict(type="str", required=True),
        role=dict(type="str", choices=["project_admin", "maintainer", "developer", "guest", "limited_guest"], default="developer"),
    )

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['username']}"

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all(f"/projects/{self.number(wanted)}/members", entityname=wanted["username"])
        return next((row for row in rows if row["entity_name"] == wanted["username"] and row["entity_type"] == "u"), None)

    def first(self, wanted: Tree) -> Tree | None:
        """Harbor makes whoever creates a project its admin."""
        return {"role_id": ROLES["project_admin"]} if wanted["username"] == self._params.get("username") else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if found is None and self._client:
            self._require_user(wanted["username"], self.key(wanted))  # also a dry run says that it is not there
        return {"role": wanted["role"]}

    def _require_user(self, name: str, key: str) -> None:
        """Harbor knows all of its own users, but of those of a directory only who has been here. Its search leaves out the first admin."""
        what = f"{self.name} {key}: user {name} is expected to"
        if ("harbor_user", name) in self.going:
            raise ApiError(f"{what} stay, but the same list removes it before: leave one of them out.")
        if ("harbor_user", name) in self.coming or name == "admin" or self.client.get("/systeminfo")["auth_mode"] != "db_auth":
            return
        if all(row["username"] != name for row in self.client.all("/users/search", username=name)):
            raise ApiError(f"{what} be there, but is not: make it first, or correct its name.")

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"role": next((name for name, number in ROLES.items() if number == found["role_id"]), str(found["role_id"]))}

    def create(self, wanted: Tree) -> t.Any:
        body = {"role_id": ROLES[wanted["role"]], "member_user": {"username": wanted["username"]}}
        return self.client.write("POST", f"/projects/{self.number(wanted)}/members", body)

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/projects/{found['project_id']}/members/{found['id']}", {"role_id": ROLES[wanted["role"]]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}/members/{found['id']}")


class Robot(InProject):
    """Harbor names a robot of a project robot$PROJECT+NAME, and one of the system robot$NAME. Its secret is told once."""

    name = "harbor_robot"
    options = dict(
        name=dict(type="str", required=True),
        project=dict(type="str"),
        access=dict(type="list", elements="str", default=[]),
        days=dict(type="int", default=365),
        description=dict(type="str", default=""),
        disabled=dict(type="bool", default=False),
        secret_file=dict(type="path", no_log=False),
        renew_secret=dict(type="bool", default=False, no_log=False),
    )

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
            rows = self.client.all("/robots", q=f"Level=project,ProjectID={self.number(wanted)}")
            return next((row for row in rows if row["name"].endswith(self.key(wanted))), None)
        prefix = self.client.get("/configurations")["robot_name_prefix"]["value"]
        return next((row for row in self.client.all("/robots", q="Level=system") if row["name"] == prefix + wanted["name"]), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
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
                raise ApiError(
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


class User(HarborKind):
    """A password is told by nobody, but whether one can log in with it can be asked."""

    name = "harbor_user"
    options = dict(
        username=dict(type="str", required=True),
        email=dict(type="str"),
        realname=dict(type="str", default=""),
        comment=dict(type="str", default=""),
        sysadmin=dict(type="bool", default=False),
        password=dict(type="str", no_log=True),
    )

    def key(self, wanted: Tree) -> str:
        return str(wanted["username"])

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "absent":
            return ""
        if not wanted.get("email") or "@" not in wanted["email"]:
            return f"user {wanted['username']}: an email is expected, but {wanted.get('email')!r} is none: correct it."
        if not re.fullmatch(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9]).{8,128}", wanted.get("password") or ""):
            return f"user {wanted['username']}: a password of 8 characters or more with A-Z, a-z and 0-9 is expected, but it is not: put one into a vault."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        found = next(iter(self.client.where("/users", "username", wanted["username"])), None)
        return t.cast("Tree | None", self.client.get(f"/users/{found['user_id']}")) if found else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        told = {name: wanted[name] for name in ("email", "realname", "comment", "sysadmin")}
        if self._client and (found or {}).get("email") != wanted["email"]:
            taken = [row["username"] for row in self.client.where("/users", "email", wanted["email"])]
            if taken:
                raise ApiError(f"user {wanted['username']}: an email of his own is expected, but {wanted['email']} is that of {taken[0]}: give another one.")
        if found is None:
            return {**told, "password": unknown("secret")}
        return {**told, "password": unknown("secret")} if not self.client.logs_in(wanted["username"], wanted["password"]) else told

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {**{name: found.get(name, "") for name in ("email", "realname", "comment")}, "sysadmin": found["sysadmin_flag"]}

    def create(self, wanted: Tree) -> t.Any:
        made = self.client.write("POST", "/users", {name: wanted[name] for name in ("username", "email", "realname", "comment", "password")})
        if wanted["sysadmin"]:
            self.client.write("PUT", f"/users/{t.cast(Tree, self.found(wanted))['user_id']}/sysadmin", {"sysadmin_flag": True})
        return made

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        if differing & {"email", "realname", "comment"}:
            self.client.write("PUT", f"/users/{found['user_id']}", {name: wanted[name] for name in ("email", "realname", "comment")})
        if "sysadmin" in differing:
            self.client.write("PUT", f"/users/{found['user_id']}/sysadmin", {"sysadmin_flag": wanted["sysadmin"]})
        if "password" in differing:
            self.client.write("PUT", f"/users/{found['user_id']}/password", {"new_password": wanted["password"]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/users/{found['user_id']}")
