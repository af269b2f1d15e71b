# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers as a real Harbor 2.16 did, as far as the modules ask it. `recorded.json` holds what that one answered; a test replays it here.

What it takes over from the real one, because it bites: unknown fields are ignored, a role or a boolean that does not exist is taken, a number is spent on
what was refused, a robot has another name than it was given, credentials come back masked, deleting a member twice is well.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import ssl
import threading
import time
import typing as t
import urllib.parse

Tree = t.Dict[str, t.Any]
NEVER = "0001-01-01T00:00:00.000Z"
ROLES = {1: "projectAdmin", 2: "developer", 3: "guest", 4: "maintainer", 5: "limitedGuest"}
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_STRONG = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9]).{8,128}")


class Refuse(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def bad(message: str) -> Refuse:
    return Refuse(400, "BAD_REQUEST", message)


def missing(what: str) -> Refuse:
    return Refuse(404, "NOT_FOUND", f"{what} not found")


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


class Harbor:
    """What it keeps. C(requests) has method and path of all that was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.passwords = {"admin": "Harbor12345"}
        self.requests: list[tuple[str, str]] = []
        self.next = {"project": 1, "user": 3, "member": 1, "robot": 2, "label": 1, "registry": 1, "retention": 1, "rule": 1, "webhook": 1, "policy": 1}
        self.users: dict[int, Tree] = {1: {"user_id": 1, "username": "admin", "realname": "system admin", "sysadmin_flag": True, "comment": "admin user"}}
        self.projects: dict[int, Tree] = {}
        self.quotas: dict[int, Tree] = {}
        self.members: dict[int, Tree] = {}
        self.robots: dict[int, Tree] = {}
        self.labels: dict[int, Tree] = {}
        self.registries: dict[int, Tree] = {}
        self.retentions: dict[int, Tree] = {}
        self.immutable: dict[int, Tree] = {}
        self.gc: Tree | None = None
        self.policies: dict[int, Tree] = {}
        self.scanner = False  # the real one had none
        self.scan_all: Tree | None = None
        self.webhooks: dict[int, Tree] = {}
        # a few of the real one's settings
        self.settings: Tree = {
            "auth_mode": "db_auth",
            "oidc_client_id": "",
            "oidc_endpoint": "",
            "oidc_verify_cert": True,
            "project_creation_restriction": "everyone",
            "read_only": False,
            "robot_name_prefix": "robot$",
            "robot_token_duration": 30,
            "storage_per_project": -1,
            "token_expiration": 30,
        }
        self.hidden: Tree = {}  # what it takes and never tells
        self.dead: set[str] = set()  # addresses at which no registry answers
        for name in ("library", "ml"):
            self._make_project({"project_name": name, "metadata": {"public": "true" if name == "library" else "false"}})
        self._project("ml")["repo_count"] = 1
        self.delay = 0.0  # seconds before it answers
        self.fails: list[tuple[int, bytes]] = []  # answers that come first, as status and body

    # -- routes: method and pattern of a path to what answers

    def answer(self, method: str, path: str, query: dict[str, str], body: t.Any, user: str) -> tuple[int, t.Any, dict[str, str]]:
        for (verb, pattern), handler in self.routes.items():
            found = re.fullmatch(pattern, path)
            if found and verb == method:
                return t.cast("tuple[int, t.Any, dict[str, str]]", handler(self, *found.groups(), query=query, body=body or {}, user=user))
        raise Refuse(404, "NOT_FOUND", f"path {path} was not found")

    def _spend(self, kind: str) -> int:
        self.next[kind] += 1
        return self.next[kind] - 1

    # -- projects

    def _project(self, key: str, named: bool = False) -> Tree:
        """As parseProjectNameOrID in harbor/src/server/v2.0/handler/util.go: a number is an id, unless X-Is-Resource-Name says that it is a name."""
        found = self.projects.get(int(key)) if key.isdigit() and not named else next((each for each in self.projects.values() if each["name"] == key), None)
        if found is None:
            raise missing(f"project {key}")
        return found

    def _make_project(self, body: Tree) -> int:
        name = body.get("project_name", "")
        if not 1 <= len(name) <= 255:
            raise bad(f"Project name {name} is illegal in length. (greater than 255 or less than 1)")
        if not _NAME.fullmatch(name):
            raise bad("project name is not in lower case or contains illegal characters")
        limit = body.get("storage_limit", -1)
        if limit != -1 and limit <= 0:
            raise bad(f"bad request: invalid non-positive value for quota limit, value={limit}")
        registry = self.registries.get(body.get("registry_id") or 0)
        if registry is not None and registry["type"] == "docker-registry":
            raise bad("bad request: unsupported registry type docker-registry")
        number = self._spend("project")
        if any(each["name"] == name for each in self.projects.values()):
            raise Refuse(409, "CONFLICT", f"The project named {name} already exists")
        allowlist = {"creation_time": NEVER, "id": number, "items": [], "project_id": number, "update_time": NEVER}
        self.projects[number] = {
            "creation_time": now(),
            "current_user_role_id": 1,
            "current_user_role_ids": [1],
            "cve_allowlist": allowlist,
            "metadata": {"public": "false", **body.get("metadata", {})},
            "name": name,
            "owner_id": 1,
            "owner_name": "admin",
            "project_id": number,
            "repo_count": 0,
            "update_time": now(),
            **({"registry_id": body["registry_id"]} if registry is not None else {}),
        }
        self.quotas[number] = {
            "creation_time": now(),
            "hard": {"storage": limit},
            "id": number,
            "ref": {"id": number, "name": name, "owner_name": ""},
            "update_time": now(),
            "used": {"storage": 0},
        }
        self._make_member(number, 1, self.users[1])
        return number

    def post_project(self, *, body: Tree, **_: t.Any) -> t.Any:
        return 201, None, {"Location": f"/api/v2.0/projects/{self._make_project(body)}"}

    def head_project(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        found = any(each["name"] == query.get("project_name") for each in self.projects.values())
        return (200 if found else 404), None, {}

    def get_projects(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        wanted = _query(query)
        return _page([each for each in self.projects.values() if "name" not in wanted or each["name"] == wanted["name"]], query)

    def get_project(self, key: str, *, query: dict[str, str], **_: t.Any) -> t.Any:
        return 200, self._project(key, query.get("X-Is-Resource-Name") == "true"), {}

    def put_project(self, key: str, *, body: Tree, user: str, **_: t.Any) -> t.Any:
        if user != "admin":
            raise Refuse(403, "FORBIDDEN", "forbidden")
        self._project(key)["metadata"].update(body.get("metadata", {}))
        return 200, None, {}

    def delete_project(self, key: str, **_: t.Any) -> t.Any:
        found = self._project(key)
        if found["repo_count"]:
            raise Refuse(412, "PRECONDITION", "precondition failed: the project contains repositories, can not be deleted")
        number = found["project_id"]
        del self.projects[number], self.quotas[number]
        self.members = {n: each for n, each in self.members.items() if each["project_id"] != number}
        return 200, None, {}

    def deletable(self, key: str, **_: t.Any) -> t.Any:
        found = self._project(key)
        return 200, {"deletable": True} if not found["repo_count"] else {"deletable": False, "message": "the project contains repositories"}, {}

    def summary(self, key: str, **_: t.Any) -> t.Any:
        quota = self.quotas[self._project(key)["project_id"]]
        return 200, {"project_admin_count": 1, "quota": {"hard": quota["hard"], "used": quota["used"]}, "repo_count": self._project(key)["repo_count"]}, {}

    def get_quotas(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        return _page([each for each in self.quotas.values() if str(each["id"]) == query.get("reference_id", str(each["id"]))], query)

    def get_quota(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.quotas:
            raise missing(f"quota {key}")
        return 200, self.quotas[int(key)], {}

    def put_quota(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        limit = body.get("hard", {}).get("storage")
        if not isinstance(limit, int):
            told = 'validation failure list:\nparsing hard body from "" failed, because json: cannot unmarshal string into Go struct field of type int64'
            raise Refuse(422, "UNPROCESSABLE_ENTITY", told)
        if limit != -1 and limit <= 0:
            raise bad(f"invalid non-positive value for quota limit, value={limit}")
        self.get_quota(key)[1].update(hard={"storage": limit}, update_time=NEVER)
        return 200, None, {}

    # -- users and members

    def current(self, *, user: str, **_: t.Any) -> t.Any:
        return 200, {**self._user(user), "admin_role_in_auth": False, "creation_time": now(), "update_time": now()}, {}

    def _user(self, name: str) -> Tree:
        return next(each for each in self.users.values() if each["username"] == name)

    def post_user(self, *, body: Tree, **_: t.Any) -> t.Any:
        if not _STRONG.fullmatch(body.get("password", "")):
            raise bad("the password or secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase letter and 1 number")
        if any(body["username"] == each["username"] or body["email"] == each.get("email") for each in self.users.values()):
            raise Refuse(409, "CONFLICT", f"user {body['username']} or email {body['email']} already exists")
        number = self._spend("user")
        self.users[number] = {
            "user_id": number,
            "sysadmin_flag": False,
            **{key: body[key] for key in ("username", "email", "realname", "comment") if body.get(key)},
        }
        self.passwords[body["username"]] = body["password"]
        return 201, None, {"Location": f"/api/v2.0/users/{number}"}

    def get_users(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        wanted = _query(query)
        rows = [each for each in self.users.values() if each["username"] == wanted.get("username", each["username"]) and each["user_id"] != 1]
        return _page([{**each, "admin_role_in_auth": False, "creation_time": now(), "update_time": now()} for each in rows], query)

    def search_users(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        return _page(
            [{"user_id": each["user_id"], "username": each["username"]} for each in self.users.values() if query["username"] in each["username"]], query
        )

    def get_user(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.users:
            raise missing(f"user {key}")
        return 200, {**self.users[int(key)], "admin_role_in_auth": False, "creation_time": now(), "update_time": now()}, {}

    def put_user(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_user(key)
        self.users[int(key)].update({name: body[name] for name in ("email", "realname", "comment") if name in body})
        return 200, None, {}

    def put_sysadmin(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_user(key)
        self.users[int(key)]["sysadmin_flag"] = body["sysadmin_flag"]
        return 200, None, {}

    def delete_user(self, key: str, **_: t.Any) -> t.Any:
        self.get_user(key)
        del self.users[int(key)]
        return 200, None, {}

    def _make_member(self, project: int, role: int, user: Tree) -> int:
        number = self._spend("member")
        self.members[number] = {
            "entity_id": user["user_id"],
            "entity_name": user["username"],
            "entity_type": "u",
            "id": number,
            "project_id": project,
            "role_id": role,
            "role_name": ROLES.get(role, ""),
        }
        return number

    def post_member(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        project, name = self._project(key)["project_id"], body.get("member_user", {}).get("username")
        user = next((each for each in self.users.values() if each["username"] == name), None)
        if user is None:
            raise Refuse(404, "NOT_FOUND", f"user {name} is not found")
        if any(each["project_id"] == project and each["entity_id"] == user["user_id"] for each in self.members.values()):
            raise Refuse(409, "CONFLICT", "The project member specified already exist")
        number = self._make_member(project, body["role_id"], user)
        return 201, None, {"Location": f"/api/v2.0/projects/{project}/members/{number}"}

    def get_members(self, key: str, *, query: dict[str, str], **_: t.Any) -> t.Any:
        project = self._project(key)["project_id"]
        return _page([each for each in self.members.values() if each["project_id"] == project], query)

    def get_member(self, _key: str, number: str, **_: t.Any) -> t.Any:
        if int(number) not in self.members:
            raise missing(f"project member {number}")
        return 200, self.members[int(number)], {}

    def put_member(self, _key: str, number: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.members[int(number)].update(role_id=body["role_id"], role_name=ROLES.get(body["role_id"], ""))
        return 200, None, {}

    def delete_member(self, _key: str, number: str, **_: t.Any) -> t.Any:
        self.members.pop(int(number), None)
        return 200, None, {}

    # -- robots

    def post_robot(self, *, body: Tree, **_: t.Any) -> t.Any:
        if not _NAME.fullmatch(body.get("name", "")):
            raise bad("robot name is not in lower case or contains illegal characters")
        if body.get("duration", 0) < -1 or body.get("duration", 0) == 0:
            raise bad(f"bad request error duration input: {body.get('duration', 0)}, duration must be either -1(Never) or a positive integer")
        own = body["level"] == "project"
        space = body["permissions"][0]["namespace"] if own else ""
        name = f"robot${space}+{body['name']}" if own else f"robot${body['name']}"
        number = self._spend("robot")
        if any(each["name"] == name for each in self.robots.values()):
            raise Refuse(409, "CONFLICT", f"robot account {self._project(space)['project_id'] if own else 0}:{space}+{body['name']} already exists")
        made, expires = now(), -1 if body["duration"] == -1 else int(time.time()) + body["duration"] * 86400
        self.robots[number] = {
            "creation_time": made,
            "creator_ref": 1,
            "creator_type": "local",
            **({"description": body["description"]} if body.get("description") else {}),
            "disable": body.get("disable", False),
            "duration": body["duration"],
            "editable": True,
            "expires_at": expires,
            "id": number,
            "level": body["level"],
            "name": name,
            "permissions": [{key: each[key] for key in ("access", "kind", "namespace")} for each in body["permissions"]],
            "update_time": made,
        }
        self.passwords[name] = f"Secret-of-{number}-1"
        told = {"creation_time": made, "expires_at": expires, "id": number, "name": name, "secret": self.passwords[name]}
        return 201, told, {"Location": f"/api/v2.0/robots/{number}"}

    def get_robots(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        wanted = _query(query)
        rows = [each for each in self.robots.values() if each["level"] == wanted.get("Level", "system")]
        if "ProjectID" in wanted:
            name = self._project(wanted["ProjectID"])["name"]
            rows = [each for each in rows if each["permissions"][0]["namespace"] == name]
        return _page(rows, query)

    def get_robot(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.robots:
            raise missing(f"robot {key}")
        return 200, self.robots[int(key)], {}

    def put_robot(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        found = self.get_robot(key)[1]
        if (body["name"], body["level"]) != (found["name"], found["level"]):
            raise bad("cannot update the level or name of robot")
        expires = (
            found["expires_at"] if body["duration"] == found["duration"] else -1 if body["duration"] == -1 else int(time.time()) + body["duration"] * 86400
        )
        found.update({name: body[name] for name in ("description", "disable", "duration", "permissions") if name in body}, expires_at=expires)
        return 200, None, {}

    def patch_robot(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        found = self.get_robot(key)[1]
        if body["secret"] and not _STRONG.fullmatch(body["secret"]):
            raise bad("the secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase letter and 1 number")
        self.passwords[found["name"]] = body["secret"] or f"Secret-of-{key}-{time.time_ns()}"
        return 200, {"secret": self.passwords[found["name"]]} if not body["secret"] else None, {}

    def delete_robot(self, key: str, **_: t.Any) -> t.Any:
        self.get_robot(key)
        del self.robots[int(key)]
        return 200, None, {}

    # -- labels

    def post_label(self, *, body: Tree, **_: t.Any) -> t.Any:
        if body.get("scope") not in ("g", "p"):
            raise bad("unsupported label scope")
        number, project = self._spend("label"), body.get("project_id", 0)
        if any((each["name"], each.get("project_id", 0)) == (body["name"], project) for each in self.labels.values()):
            raise Refuse(409, "CONFLICT", f"label {body['name']} already exists")
        told = {name: body[name] for name in ("name", "scope", "color", "description", "project_id") if body.get(name)}
        self.labels[number] = {**told, "creation_time": now(), "id": number, "update_time": now()}
        return 201, None, {"Location": f"/api/v2.0/labels/{number}"}

    def get_labels(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        rows = [each for each in self.labels.values() if each["scope"] == query.get("scope", "g")]
        rows = [each for each in rows if str(each.get("project_id", 0)) == query.get("project_id", "0") and query.get("name", "") in each["name"]]
        return _page(rows, query)

    def get_label(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.labels:
            raise missing(f"label {key}")
        return 200, self.labels[int(key)], {}

    def put_label(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        found = self.get_label(key)[1]
        for name in ("color", "description"):  # what is not told is emptied
            found.pop(name, None)
            found.update({name: body[name]} if body.get(name) else {})
        return 200, None, {}

    def delete_label(self, key: str, **_: t.Any) -> t.Any:
        self.get_label(key)
        del self.labels[int(key)]
        return 200, None, {}

    # -- endpoints

    def post_registry(self, *, body: Tree, **_: t.Any) -> t.Any:
        if any(each["name"] == body["name"] for each in self.registries.values()):
            raise Refuse(409, "CONFLICT", f"registry {body['name']} already exists")
        if body["type"] not in ("docker-registry", "docker-hub", "harbor"):
            raise Refuse(500, "UNKNOWN", "internal server error")
        if body["url"] in self.dead:
            raise bad("the registry is unhealthy")
        number = self._spend("registry")
        told = {name: body[name] for name in ("name", "type", "url", "insecure", "description") if body.get(name) not in (None, "")}
        self.registries[number] = {"insecure": False, **told, "creation_time": now(), "id": number, "status": "healthy", "update_time": now()}
        self.registries[number]["credential"] = dict(body.get("credential") or {})
        return 201, None, {"Location": f"/api/v2.0/registries/{number}"}

    @staticmethod
    def _masked(found: Tree) -> Tree:
        credential = {**found["credential"], **({"access_secret": "*****"} if found["credential"].get("access_secret") else {})}
        return {**found, "credential": credential}

    def get_registries(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        wanted = _query(query)
        return _page([self._masked(each) for each in self.registries.values() if each["name"] == wanted.get("name", each["name"])], query)

    def get_registry(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.registries:
            raise missing(f"registry {key}")
        return 200, self._masked(self.registries[int(key)]), {}

    def put_registry(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_registry(key)
        found = self.registries[int(key)]
        found.update({name: body[name] for name in ("name", "url", "insecure", "description") if name in body})
        found["credential"].update({name: body[name] for name in ("access_key", "access_secret") if name in body})
        return 200, None, {}

    def delete_registry(self, key: str, **_: t.Any) -> t.Any:
        self.get_registry(key)
        if self.registries[int(key)].get("used"):
            raise Refuse(412, "PRECONDITION", f"the registry {key} is referenced by replication policies, cannot delete it")
        del self.registries[int(key)]
        return 200, None, {}

    def ping(self, **_: t.Any) -> t.Any:
        return 200, None, {}

    def post_policy(self, *, body: Tree, **_: t.Any) -> t.Any:
        self._policy_problem(body)
        if any(each["name"] == body["name"] for each in self.policies.values()):
            raise Refuse(409, "CONFLICT", f"replication policy {body['name']} already exists")
        number = self._spend("policy")
        self.policies[number] = {"id": number, "creation_time": now()}
        self._set_policy(number, body)
        return 201, None, {"Location": f"/api/v2.0/replication/policies/{number}"}

    @staticmethod
    def _policy_problem(body: Tree) -> None:
        cron = body["trigger"].get("trigger_settings", {}).get("cron", "")
        if body["trigger"]["type"] == "scheduled" and len(cron.split()) != 6:
            raise bad(f"invalid cron string for scheduled trigger: {cron}")

    def _set_policy(self, number: int, body: Tree) -> None:
        """It reads deletion, and tells replicate_deletion besides; no flag that is false; of this Harbor a registry of number 0; a speed of -1 as 0."""
        own = {"id": 0, "name": "Local", "type": "harbor", "url": "http://127.0.0.1:8080", "status": "healthy"}
        side = {there: self.registries.get((body.get(there) or {}).get("id") or 0) for there in ("src_registry", "dest_registry")}
        told = {name: body.get(name) for name in ("name", "dest_namespace", "dest_namespace_replace_count", "filters", "trigger", "override", "enabled")}
        self.policies[number] = {
            **{name: self.policies[number][name] for name in ("id", "creation_time")},
            **{name: value for name, value in told.items() if value not in (None, False, "")},
            **{there: dict(self._masked(found)) if found else own for there, found in side.items()},
            **(dict.fromkeys(("deletion", "replicate_deletion"), True) if body.get("deletion") else {}),
            "speed": max(0, body.get("speed", 0)),
            "copy_by_chunk": body.get("copy_by_chunk", False),
            "single_active_replication": False,
            "update_time": now(),
        }

    def get_policies(self, *, query: dict[str, str], **_: t.Any) -> t.Any:
        return _page([each for each in self.policies.values() if query.get("name", "") in each["name"]], query)

    def get_policy(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.policies:
            raise missing(f"replication policy {key}")
        return 200, self.policies[int(key)], {}

    def put_policy(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_policy(key)
        self._policy_problem(body)
        self._set_policy(int(key), body)
        return 200, None, {}

    def delete_policy(self, key: str, **_: t.Any) -> t.Any:
        self.get_policy(key)
        del self.policies[int(key)]
        return 200, None, {}

    def run_policy(self, *, body: Tree, **_: t.Any) -> t.Any:
        if not self.policies[body["policy_id"]].get("enabled"):
            raise Refuse(412, "PRECONDITION", f"the policy {body['policy_id']} is disabled")
        return 201, None, {"Location": "/api/v2.0/replication/executions/5"}

    # -- scans: without a scanner as the real one answered, with one as its published API says

    def get_scan_all(self, **_: t.Any) -> t.Any:
        if not self.scanner:
            raise Refuse(412, "PRECONDITION", "no scanner is configured, it's not possible to scan")
        return 200, self.scan_all, {}

    def put_scan_all(self, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_scan_all()
        schedule = body["schedule"]
        self.scan_all = None if schedule["type"] == "None" else {"id": 1, "schedule": schedule, "creation_time": now(), "update_time": now()}
        return 200, None, {}

    def post_scan_all(self, **more: t.Any) -> t.Any:
        self.put_scan_all(**more)
        return 201, None, {"Location": "/api/v2.0/system/scanAll/schedule/1"}

    # -- which tags stay, and which cannot change

    def post_retention(self, *, body: Tree, **_: t.Any) -> t.Any:
        project = self._project(str(body["scope"]["ref"]))
        if "retention_id" in project["metadata"]:
            raise bad(f"bad request: project {project['project_id']} already has retention policy {project['metadata']['retention_id']}")
        number = self._spend("retention")
        self.retentions[number] = {"id": number}
        self.put_retention(str(number), body=body)
        project["metadata"]["retention_id"] = str(number)
        return 201, None, {"Location": f"/api/v2.0/retentions/{number}"}

    def get_retention(self, key: str, **_: t.Any) -> t.Any:
        if int(key) not in self.retentions:
            raise missing(f"retention {key}")
        return 200, self.retentions[int(key)], {}

    def put_retention(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        trigger = {"kind": body["trigger"]["kind"], "settings": dict(body["trigger"]["settings"])}
        if trigger["settings"].get("cron"):
            trigger["settings"]["next_scheduled_time"] = now()
        self.retentions[int(key)].update(algorithm=body["algorithm"], rules=body["rules"], scope=body["scope"], trigger=trigger)
        return 200, None, {}

    def delete_retention(self, key: str, **_: t.Any) -> t.Any:
        found = self.get_retention(key)[1]
        del self.retentions[int(key)]
        self._project(str(found["scope"]["ref"]))["metadata"].pop("retention_id")
        return 200, None, {}

    def post_immutable(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        project = self._project(key)["project_id"]
        told = {name: body[name] for name in ("action", "template", "scope_selectors", "tag_selectors")}
        if any(each["project"] == project and {name: each["rule"][name] for name in told} == told for each in self.immutable.values()):
            raise Refuse(409, "CONFLICT", "immutable rule already exists")
        number = self._spend("rule")
        self.immutable[number] = {"project": project, "rule": {**told, "id": number, **({"disabled": True} if body.get("disabled") else {})}}
        return 201, None, {"Location": f"/api/v2.0/projects/{project}/immutabletagrules/{number}"}

    def get_immutable(self, key: str, *, query: dict[str, str], **_: t.Any) -> t.Any:
        project = self._project(key)["project_id"]
        return _page([each["rule"] for each in self.immutable.values() if each["project"] == project], query)

    def put_immutable(self, _key: str, number: str, *, body: Tree, **_: t.Any) -> t.Any:
        rule = self.immutable[int(number)]["rule"]
        rule.pop("disabled", None)
        rule.update({"disabled": True} if body.get("disabled") else {})
        return 200, None, {}

    def delete_immutable(self, _key: str, number: str, **_: t.Any) -> t.Any:
        del self.immutable[int(number)]
        return 200, None, {}

    # -- removal of what nobody names any more

    def get_gc(self, **_: t.Any) -> t.Any:
        return 200, self.gc, {}

    def put_gc(self, *, body: Tree, **_: t.Any) -> t.Any:
        schedule = body["schedule"]
        if schedule["type"] == "None":
            self.gc = None
            return 200, None, {}
        if len(schedule["cron"].split()) != 6:
            fields = schedule["cron"].split()
            raise bad(f"invalid cron string for scheduled gc: {schedule['cron']}, error: expected exactly 6 fields, found {len(fields)}: {fields}")
        told = body.get("parameters", {})
        parameters = {name: told.get(name, default) for name, default in (("delete_tag", False), ("delete_untagged", False), ("workers", 0))}
        self.gc = {
            "creation_time": now(),
            "id": 6,
            "job_kind": schedule["cron"],
            "job_parameters": json.dumps(parameters, separators=(",", ":")),
            "job_status": "Running",
            "schedule": {"cron": schedule["cron"], "next_scheduled_time": now(), "type": schedule["type"]},
            "update_time": now(),
        }
        return 200, None, {}

    def post_gc(self, **more: t.Any) -> t.Any:
        self.put_gc(**more)
        return 201, None, {"Location": "/api/v2.0/system/gc/0"}

    # -- who is called, and settings

    def post_webhook(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        project = self._project(key)["project_id"]
        self._events(body)
        if any((each["project_id"], each["name"]) == (project, body["name"]) for each in self.webhooks.values()):
            raise Refuse(409, "CONFLICT", f"notification policy named {body['name']} already exists")
        number = self._spend("webhook")
        told = {name: body[name] for name in ("name", "targets", "event_types", "enabled")}
        self.webhooks[number] = {**told, "creation_time": now(), "id": number, "project_id": project, "update_time": now()}
        return 201, None, {"Location": f"/api/v2.0/projects/{project}/webhook/policies/{number}"}

    @staticmethod
    def _events(body: Tree) -> None:
        known = ("PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "QUOTA_EXCEED", "QUOTA_WARNING", "SCANNING_FAILED", "SCANNING_STOPPED")
        for event in body["event_types"]:
            if event not in (*known, "SCANNING_COMPLETED", "REPLICATION", "TAG_RETENTION"):
                raise bad(f"unsupported event type {event}")

    def get_webhooks(self, key: str, *, query: dict[str, str], **_: t.Any) -> t.Any:
        project = self._project(key)["project_id"]
        return _page([each for each in self.webhooks.values() if each["project_id"] == project], query)

    def put_webhook(self, _key: str, number: str, *, body: Tree, **_: t.Any) -> t.Any:
        self._events(body)
        self.webhooks[int(number)].update({name: body[name] for name in ("name", "targets", "event_types", "enabled")})
        return 200, None, {}

    def delete_webhook(self, _key: str, number: str, **_: t.Any) -> t.Any:
        del self.webhooks[int(number)]
        return 200, None, {}

    def get_settings(self, **_: t.Any) -> t.Any:
        fixed = len(self.users) > 1  # with users the way to log in cannot change any more
        told: Tree = {name: {"editable": name != "auth_mode" or not fixed, "value": value} for name, value in self.settings.items()}
        return 200, {**told, "scan_all_policy": {}}, {}

    def put_settings(self, *, body: Tree, **_: t.Any) -> t.Any:
        for name, value in body.items():
            if isinstance(self.settings.get(name), int) and not isinstance(value, int):
                told = 'validation failure list:\nparsing configurations body from "" failed, because json: cannot unmarshal string into Go struct field'
                raise Refuse(422, "UNPROCESSABLE_ENTITY", told)
            if name == "auth_mode" and value != self.settings[name] and len(self.users) > 1:
                raise bad("the auth mode cannot be modified as new users have been inserted into database")
        self.settings.update({name: value for name, value in body.items() if name in self.settings})
        self.hidden.update({name: value for name, value in body.items() if name.endswith(("_secret", "_password"))})
        return 200, None, {}

    def put_password(self, key: str, *, body: Tree, **_: t.Any) -> t.Any:
        self.get_user(key)
        if not _STRONG.fullmatch(body.get("new_password", "")):
            raise bad("the password or secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase letter and 1 number")
        self.passwords[self.users[int(key)]["username"]] = body["new_password"]
        return 200, None, {}

    # -- what it is

    def health(self, **_: t.Any) -> t.Any:
        return 200, {"components": [{"name": name, "status": "healthy"} for name in ("core", "database", "jobservice", "redis")], "status": "healthy"}, {}

    def systeminfo(self, *, user: str, **_: t.Any) -> t.Any:
        told = {"auth_mode": "db_auth", "banner_message": "", "oidc_provider_name": "", "primary_auth_mode": False, "self_registration": False}
        return 200, {**told, "harbor_version": "v2.16.0", "has_ca_root": False} if user else told, {}

    routes: t.ClassVar[dict[tuple[str, str], t.Callable[..., t.Any]]] = {
        ("GET", "/health"): health,
        ("GET", "/systeminfo"): systeminfo,
        ("GET", "/users/current"): current,
        ("POST", "/projects"): post_project,
        ("HEAD", "/projects"): head_project,
        ("GET", "/projects"): get_projects,
        ("GET", "/projects/([^/]+)/_deletable"): deletable,
        ("GET", "/projects/([^/]+)/summary"): summary,
        ("GET", "/projects/([^/]+)"): get_project,
        ("PUT", "/projects/([^/]+)"): put_project,
        ("DELETE", "/projects/([^/]+)"): delete_project,
        ("GET", "/quotas"): get_quotas,
        ("GET", r"/quotas/(\d+)"): get_quota,
        ("PUT", r"/quotas/(\d+)"): put_quota,
        ("POST", "/users"): post_user,
        ("GET", "/users"): get_users,
        ("GET", "/users/search"): search_users,
        ("GET", r"/users/(\d+)"): get_user,
        ("PUT", r"/users/(\d+)"): put_user,
        ("PUT", r"/users/(\d+)/sysadmin"): put_sysadmin,
        ("DELETE", r"/users/(\d+)"): delete_user,
        ("POST", "/projects/([^/]+)/members"): post_member,
        ("GET", "/projects/([^/]+)/members"): get_members,
        ("GET", r"/projects/([^/]+)/members/(\d+)"): get_member,
        ("PUT", r"/projects/([^/]+)/members/(\d+)"): put_member,
        ("DELETE", r"/projects/([^/]+)/members/(\d+)"): delete_member,
        ("POST", "/robots"): post_robot,
        ("GET", "/robots"): get_robots,
        ("GET", r"/robots/(\d+)"): get_robot,
        ("PUT", r"/robots/(\d+)"): put_robot,
        ("PATCH", r"/robots/(\d+)"): patch_robot,
        ("DELETE", r"/robots/(\d+)"): delete_robot,
        ("POST", "/labels"): post_label,
        ("GET", "/labels"): get_labels,
        ("GET", r"/labels/(\d+)"): get_label,
        ("PUT", r"/labels/(\d+)"): put_label,
        ("DELETE", r"/labels/(\d+)"): delete_label,
        ("POST", "/registries"): post_registry,
        ("POST", "/registries/ping"): ping,
        ("GET", "/registries"): get_registries,
        ("GET", r"/registries/(\d+)"): get_registry,
        ("PUT", r"/registries/(\d+)"): put_registry,
        ("DELETE", r"/registries/(\d+)"): delete_registry,
        ("POST", "/replication/policies"): post_policy,
        ("GET", "/replication/policies"): get_policies,
        ("GET", r"/replication/policies/(\d+)"): get_policy,
        ("PUT", r"/replication/policies/(\d+)"): put_policy,
        ("DELETE", r"/replication/policies/(\d+)"): delete_policy,
        ("POST", "/replication/executions"): run_policy,
        ("GET", "/system/scanAll/schedule"): get_scan_all,
        ("POST", "/system/scanAll/schedule"): post_scan_all,
        ("PUT", "/system/scanAll/schedule"): put_scan_all,
        ("POST", "/retentions"): post_retention,
        ("GET", r"/retentions/(\d+)"): get_retention,
        ("PUT", r"/retentions/(\d+)"): put_retention,
        ("DELETE", r"/retentions/(\d+)"): delete_retention,
        ("POST", "/projects/([^/]+)/immutabletagrules"): post_immutable,
        ("GET", "/projects/([^/]+)/immutabletagrules"): get_immutable,
        ("PUT", r"/projects/([^/]+)/immutabletagrules/(\d+)"): put_immutable,
        ("DELETE", r"/projects/([^/]+)/immutabletagrules/(\d+)"): delete_immutable,
        ("PUT", r"/users/(\d+)/password"): put_password,
        ("POST", "/projects/([^/]+)/webhook/policies"): post_webhook,
        ("GET", "/projects/([^/]+)/webhook/policies"): get_webhooks,
        ("PUT", r"/projects/([^/]+)/webhook/policies/(\d+)"): put_webhook,
        ("DELETE", r"/projects/([^/]+)/webhook/policies/(\d+)"): delete_webhook,
        ("GET", "/configurations"): get_settings,
        ("PUT", "/configurations"): put_settings,
        ("GET", "/system/gc/schedule"): get_gc,
        ("POST", "/system/gc/schedule"): post_gc,
        ("PUT", "/system/gc/schedule"): put_gc,
    }


def _query(query: dict[str, str]) -> dict[str, str]:
    """C(name=vision,Level=project) of the parameter q. What is more than names, its grammar takes for lists, ranges and numbers: refused here."""
    if re.search(r"[^\w=,.-]", query.get("q", "")):
        raise bad("invalid query string value")
    return dict(part.split("=", 1) for part in query.get("q", "").split(",") if "=" in part)


def _page(rows: list[t.Any], query: dict[str, str]) -> tuple[int, t.Any, dict[str, str]]:
    size, page = int(query.get("page_size", 10)), int(query.get("page", 1))
    if size > 100:
        raise Refuse(422, "UNPROCESSABLE_ENTITY", "validation failure list:\npage_size in query should be less than or equal to 100")
    headers = {"X-Total-Count": str(len(rows))}
    if page * size < len(rows):
        headers["Link"] = f'</api/v2.0/projects?page={page + 1}&page_size={size}>; rel="next"'
    return 200, rows[(page - 1) * size : page * size], headers


def serve(harbor: Harbor, tls: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
    """On a free port of loopback, until its shutdown()."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            path, query = parts.path[len("/api/v2.0") :], dict(urllib.parse.parse_qsl(parts.query))
            # a parameter like those, but in a header
            query.update({name: self.headers[name] for name in ("X-Is-Resource-Name",) if name in self.headers})
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            harbor.requests.append((self.command, path))
            time.sleep(harbor.delay)
            headers: dict[str, str] = {}
            if harbor.fails:
                status, text = harbor.fails.pop(0)
                self._send(status, text, {})
                return
            try:
                status, body, headers = harbor.answer(self.command, urllib.parse.unquote(path), query, json.loads(raw) if raw else None, self._who(path))
                text = b"" if body is None else json.dumps(body).encode()
            except Refuse as exc:
                status, text = exc.status, json.dumps({"errors": [{"code": exc.code, "message": str(exc)}]}).encode()
            self._send(status, text, headers)

        def _send(self, status: int, text: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def _who(self, path: str) -> str:
            told = self.headers.get("Authorization", "")
            if not told:
                if path in ("/health", "/systeminfo"):
                    return ""
                raise Refuse(401, "UNAUTHORIZED", "unauthorized")
            name, _colon, password = base64.b64decode(told.partition(" ")[2]).decode().partition(":")
            if harbor.passwords.get(name) != password:
                raise Refuse(401, "UNAUTHORIZED", "unauthorized")
            return name

        def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - its name in the base class
            pass

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _do

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
