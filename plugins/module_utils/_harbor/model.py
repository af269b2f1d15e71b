# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Harbor keeps, in one form in which what was asked for and what is read back can be compared.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Only what was asked for is compared, because Harbor has a value for everything. It takes most values without looking, so they are looked at here.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import typing as t
from urllib.parse import urlsplit

from .._plan.prediction import unknown
from .client import NAME, Client, HarborError

Tree = t.Dict[str, t.Any]
ROLES = {"project_admin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limited_guest": 5}
SEVERITIES = ("none", "low", "medium", "high", "critical")
_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Kind:
    """One kind of object. C(found) is what Harbor says of it, as observed() has returned it."""

    name: t.ClassVar[str]
    untold: t.ClassVar[frozenset[str]] = frozenset()  # what Harbor never tells, so that nobody can read it back
    hidden: t.ClassVar[frozenset[str]] = frozenset()  # what is compared, but not told

    def __init__(self, client: Client | None) -> None:
        """Without a client, of a Harbor that this run would first make: then only desired() of what is not there is asked."""
        self._client = client

    @property
    def client(self) -> Client:
        if self._client is None:
            raise HarborError(f"{self.name} is expected to ask Harbor, but this run has yet to start it.")
        return self._client

    def key(self, wanted: Tree) -> str:
        return str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        """What is wrong with what is wanted, as a sentence, or nothing."""
        return ""

    def refusal(self, wanted: Tree, found: Tree) -> str:
        """Why what is there may not be changed like that, as a sentence, or nothing."""
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        """The object as Harbor tells it, None when it is not there."""
        raise AssertionError("each kind answers")

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
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
        if not NAME.fullmatch(wanted["name"]):
            return f"project {wanted['name']}: a name of lower-case letters, digits and single . _ - between them is expected, but it is not one: rename it."
        if wanted.get("storage_limit") is not None and size(wanted["storage_limit"]) is None:
            return f"project {wanted['name']}: storage_limit is expected as 500 GiB, or -1 for none, but is {wanted['storage_limit']!r}: correct it."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.project(wanted["name"])
        if found is None:
            return None
        quota = self.client.get("/quotas", reference="project", reference_id=found["project_id"]) if wanted.get("storage_limit") is not None else None
        return {**found, "quota": quota[0] if quota else None}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
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
        told = Project.desired(self, wanted)
        limit = told.pop("storage_limit", None)
        body: Tree = {"project_name": wanted["name"], "metadata": {"public": "false", **_words(told)}, **self._more(wanted)}
        return self.client.write("POST", "/projects", {**body, **({"storage_limit": limit} if limit is not None else {})})

    def refusal(self, wanted: Tree, found: Tree) -> str:
        if wanted["state"] == "absent":
            if not found["repo_count"]:
                return ""
            return (
                f"project {wanted['name']} is expected to be empty before it is removed, but has {found['repo_count']} repositories: "
                "remove them first, nothing was removed."
            )
        limit, quota = self.desired(wanted).get("storage_limit", -1), found["quota"]
        used = quota["used"]["storage"] if quota else 0
        if not 0 <= limit < used or limit == quota["hard"]["storage"]:
            return ""
        return (
            f"project {wanted['name']}: a storage_limit of at least what it has ({used} bytes) is expected, but {limit} is asked for: "
            "remove images first, or allow more."
        )

    def _more(self, wanted: Tree) -> Tree:
        return {}

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        told = {name: value for name, value in self.desired(wanted).items() if name in differing}
        limit = told.pop("storage_limit", None)
        if limit is not None:
            self.client.write("PUT", f"/quotas/{found['quota']['id']}", {"hard": {"storage": limit}})
        if told:
            self.client.write("PUT", f"/projects/{found['project_id']}", {"metadata": _words(told)})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}")


class InProject(Kind):
    """What belongs to a project, or to all of them where that can be."""

    def project(self, wanted: Tree) -> Tree:
        found = self.client.project(str(wanted["project"]))
        if found is None:
            raise HarborError(
                f"{self.name} {self.key(wanted)}: project {wanted['project']} is expected to be there, but is not: make it first, or correct its name."
            )
        return t.cast("Tree", found)

    def number(self, wanted: Tree) -> int:
        return int(self.project(wanted)["project_id"])


class Member(InProject):
    name = "harbor_project_member"

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['username']}"

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all(f"/projects/{self.number(wanted)}/members", entityname=wanted["username"])
        return next((row for row in rows if row["entity_name"] == wanted["username"] and row["entity_type"] == "u"), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"role": wanted["role"]}

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


class Endpoint(Kind):
    """Another registry. Harbor tells its secret only as stars, so that one cannot be compared."""

    name = "harbor_registry_endpoint"
    untold = frozenset(("access_secret",))

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "present" and not re.match(r"https?://[^/\s]+", wanted["endpoint"] or ""):
            return f"endpoint {wanted['name']}: an address as https://registry.example is expected, but it is {wanted['endpoint']!r}: correct endpoint."
        if wanted["state"] == "present" and "@" in urlsplit(wanted["endpoint"]).netloc:
            return (
                f"endpoint {wanted['name']}: an address without user and password is expected, because everybody may see it, but it has them: "
                "put them into access_key and access_secret."
            )
        if wanted["access_key"] and not wanted.get("access_secret"):
            return f"endpoint {wanted['name']}: access_secret is expected beside access_key, but is not given: give both, or none."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        return next(iter(self.client.where("/registries", "name", wanted["name"])), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        told = {"type": wanted["type"], "endpoint": wanted["endpoint"], "insecure": wanted["insecure"], "description": wanted["description"]}
        return {**told, "access_key": wanted["access_key"], **({"access_secret": unknown("secret")} if wanted["renew_secret"] else {})}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        if found["type"] != wanted["type"]:
            raise HarborError(
                f"endpoint {wanted['name']} is expected to be of type {wanted['type']}, but is {found['type']}, and Harbor changes none: "
                "give the new one another name."
            )
        told = {"type": found["type"], "endpoint": found["url"], "insecure": found["insecure"], "description": found.get("description", "")}
        return {**told, "access_key": (found.get("credential") or {}).get("access_key", "")}

    def create(self, wanted: Tree) -> t.Any:
        body = {"name": wanted["name"], "type": wanted["type"], "url": wanted["endpoint"], "insecure": wanted["insecure"], "description": wanted["description"]}
        secret = {"type": "basic", "access_key": wanted["access_key"], "access_secret": wanted["access_secret"]} if wanted["access_key"] else None
        return self.client.write("POST", "/registries", {**body, **({"credential": secret} if secret else {})})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        names = {"endpoint": "url", "insecure": "insecure", "description": "description", "access_key": "access_key"}
        body = {there: wanted[here] for here, there in names.items() if here in differing}
        if wanted["access_key"] and differing & {"access_key", "access_secret"}:
            body.update(credential_type="basic", access_key=wanted["access_key"], access_secret=wanted["access_secret"])
        self.client.write("PUT", f"/registries/{found['id']}", body)

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/registries/{found['id']}")


class Replication(Kind):
    """Which images go to another registry, or come from it. Harbor tells no flag that is false, and a speed of -1 as 0."""

    name = "harbor_replication_policy"

    def problem(self, wanted: Tree) -> str:
        what = f"replication {wanted['name']}"
        if wanted["state"] == "absent":
            return ""
        if bool(wanted["source"]) == bool(wanted["destination"]):
            return f"{what}: source or destination is expected, an endpoint, because the other one is this Harbor, but there are both or none: give one."
        if (wanted["trigger"] == "scheduled") != bool(wanted["cron"]):
            return f"{what}: a cron is expected with trigger scheduled and with no other, but the trigger is {wanted['trigger']}: correct one of them."
        if wanted["trigger"] == "event_based" and wanted["source"]:
            return f"{what}: a trigger manual or scheduled is expected, because another registry tells no events, but it is event_based: correct it."
        return _cron(what, wanted["cron"]) if wanted["cron"] else ""

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all("/replication/policies", name=wanted["name"])
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def _endpoint(self, wanted: Tree) -> int:
        return _endpoint(self.client, f"replication {wanted['name']}", wanted["source"] or wanted["destination"])

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if self._client:
            self._endpoint(wanted)  # also a dry run says that it is not there
        plain = ("source", "destination", "namespace", "flatten", "trigger", "cron", "repositories", "tags", "override", "deletion", "enabled", "speed")
        return {name: wanted[name] for name in plain}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        trigger = found.get("trigger") or {}
        filters = {row["type"]: row["value"] for row in found.get("filters") or []}
        names = {side: (found.get(f"{there}_registry") or {}) for side, there in (("source", "src"), ("destination", "dest"))}
        return {
            **{side: told.get("name", "") if told.get("id") else "" for side, told in names.items()},
            "namespace": found.get("dest_namespace", ""),
            "flatten": found.get("dest_namespace_replace_count", -1),
            "trigger": trigger.get("type", "manual"),
            "cron": (trigger.get("trigger_settings") or {}).get("cron", ""),
            "repositories": filters.get("name", "**"),
            "tags": filters.get("tag", "**"),
            "override": found.get("override", False),
            "deletion": found.get("replicate_deletion", found.get("deletion", False)),
            "enabled": found.get("enabled", False),
            "speed": found.get("speed") or -1,
        }

    def _body(self, wanted: Tree) -> Tree:
        filters = [{"type": kind, "value": wanted[name]} for kind, name in (("name", "repositories"), ("tag", "tags")) if wanted[name] != "**"]
        return {
            "name": wanted["name"],
            "src_registry" if wanted["source"] else "dest_registry": {"id": self._endpoint(wanted)},
            "dest_namespace": wanted["namespace"],
            "dest_namespace_replace_count": wanted["flatten"],
            "trigger": {"type": wanted["trigger"], "trigger_settings": {"cron": wanted["cron"]}},
            "filters": filters,
            # 2.16 calls deletion deprecated, reads that name alone, and tells both
            **dict.fromkeys(("deletion", "replicate_deletion"), wanted["deletion"]),
            **{name: wanted[name] for name in ("override", "enabled", "speed")},
        }

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", "/replication/policies", self._body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/replication/policies/{found['id']}", self._body(wanted))

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/replication/policies/{found['id']}")


class ProxyCache(Project):
    """A project that has what was asked for of another registry. Harbor never makes one of a project that is there, nor another's."""

    name = "harbor_proxy_cache"

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if found is None and self._client:
            self._endpoint(wanted)
        return {**super().desired(wanted, found), "endpoint": wanted["endpoint"]}

    def _endpoint(self, wanted: Tree) -> int:
        return _endpoint(self.client, f"proxy cache {wanted['name']}", wanted["endpoint"])

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        number = found.get("registry_id")
        name = (self.client.get(f"/registries/{number}") or {}).get("name", "") if number else ""
        if name != wanted["endpoint"]:
            raise HarborError(
                f"proxy cache {wanted['name']} is expected to be one of endpoint {wanted['endpoint']}, but is {f'one of {name}' if name else 'a project'}, "
                "and Harbor changes none: give the new one another name."
            )
        return {**super().observed(wanted, found), "endpoint": name}

    def _more(self, wanted: Tree) -> Tree:
        return {"registry_id": self._endpoint(wanted)}


class Label(InProject):
    name = "harbor_label"

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['name']}" if wanted.get("project") else str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        if wanted["color"] and not re.fullmatch(r"#[0-9A-Fa-f]{6}", wanted["color"]):
            return f"label {self.key(wanted)}: a color as #0065AB is expected, but it is {wanted['color']!r}: correct it."
        return ""

    def _where(self, wanted: Tree) -> Tree:
        return {"scope": "p", "project_id": self.number(wanted)} if wanted.get("project") else {"scope": "g"}

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all("/labels", name=wanted["name"], **self._where(wanted))
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"color": wanted["color"], "description": wanted["description"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"color": found.get("color", ""), "description": found.get("description", "")}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", "/labels", {"name": wanted["name"], **self._where(wanted), **self.desired(wanted)})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        where = {name: found[name] for name in ("scope", "project_id") if name in found}
        self.client.write("PUT", f"/labels/{found['id']}", {"name": wanted["name"], **where, **self.desired(wanted)})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/labels/{found['id']}")


class Retention(InProject):
    """Which tags of a project stay; what no rule keeps is removed."""

    name = "harbor_retention"

    def key(self, wanted: Tree) -> str:
        return str(wanted["project"])

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "absent":
            return ""
        if not wanted["rules"]:
            return f"retention of {wanted['project']}: a rule is expected, but none is given, by which nothing would stay: say what shall, or state: absent."
        short = [rule for rule in wanted["rules"] if rule["keep"] != "always" and rule["number"] < 1]
        if short:
            return f"retention of {wanted['project']}: a number of 1 or more is expected in each rule, but one has {short[0]['number']}: correct it."
        return _cron(f"retention of {wanted['project']}", wanted["cron"])

    def found(self, wanted: Tree) -> Tree | None:
        number = self.project(wanted)["metadata"].get("retention_id")
        return t.cast("Tree | None", self.client.get(f"/retentions/{number}")) if number else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        rules = [{"keep": rule["keep"], "number": rule["number"] if rule["keep"] != "always" else 0, **_of(rule)} for rule in wanted["rules"]]
        return {"cron": wanted["cron"], "rules": sorted(rules, key=str)}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        rules = []
        for rule in found["rules"]:
            keep = next((name for name, (template, _parameter) in KEEPS.items() if template == rule["template"]), rule["template"])
            tags, repositories = rule["tag_selectors"][0], rule["scope_selectors"]["repository"][0]
            untagged = '"untagged":true' in str(tags.get("extras", "")).replace(" ", "")
            number = next(iter((rule.get("params") or {}).values()), 0)
            rules.append({"keep": keep, "number": int(number), "repositories": _pattern(repositories), "tags": _pattern(tags), "untagged": untagged})
            if rule.get("disabled"):
                rules[-1]["disabled"] = True
        return {"cron": found["trigger"]["settings"].get("cron", ""), "rules": sorted(rules, key=str)}

    def _body(self, wanted: Tree, number: int) -> Tree:
        rules = []
        for rule in wanted["rules"]:
            template, parameter = KEEPS[rule["keep"]]
            tags = {"kind": "doublestar", "decoration": "matches", "pattern": rule["tags"], "extras": json.dumps({"untagged": rule["untagged"]})}
            rules.append(
                {
                    "action": "retain",
                    "template": template,
                    "params": {parameter: rule["number"]} if parameter else {},
                    "tag_selectors": [tags],
                    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": rule["repositories"]}]},
                }
            )
        trigger = {"kind": "Schedule", "settings": {"cron": wanted["cron"]}, "references": {}}
        return {"algorithm": "or", "scope": {"level": "project", "ref": number}, "trigger": trigger, "rules": rules}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", "/retentions", self._body(wanted, self.number(wanted)))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/retentions/{found['id']}", self._body(wanted, found["scope"]["ref"]))

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/retentions/{found['id']}")


class Immutability(InProject):
    """Tags of a project that nobody can overwrite or remove."""

    name = "harbor_tag_immutability"

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['repositories']}:{wanted['tags']}"

    def found(self, wanted: Tree) -> Tree | None:
        number = self.number(wanted)
        rows = self.client.all(f"/projects/{number}/immutabletagrules")
        asked = (wanted["repositories"], wanted["tags"])
        found = next((r for r in rows if (_pattern(r["scope_selectors"]["repository"][0]), _pattern(r["tag_selectors"][0])) == asked), None)
        return {**found, "project_id": number} if found else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"disabled": wanted["disabled"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"disabled": found.get("disabled", False)}

    def _body(self, wanted: Tree) -> Tree:
        return {
            "action": "immutable",
            "template": "immutable_template",
            "disabled": wanted["disabled"],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": wanted["repositories"]}]},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": wanted["tags"]}],
        }

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", f"/projects/{self.number(wanted)}/immutabletagrules", self._body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/projects/{found['project_id']}/immutabletagrules/{found['id']}", {**self._body(wanted), "id": found["id"]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}/immutabletagrules/{found['id']}")


class Collection(Kind):
    """When layers go that no image has any more. Harbor keeps one schedule, and takes a second one for a change of it."""

    name = "harbor_gc_schedule"
    _path = "/system/gc/schedule"

    def key(self, wanted: Tree) -> str:
        return "gc"

    def problem(self, wanted: Tree) -> str:
        return "" if wanted["state"] == "absent" else _cron("the schedule of garbage collection", wanted["cron"])

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.get(self._path)
        return t.cast("Tree", found) if found and (found.get("schedule") or {}).get("type") not in (None, "None") else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {name: wanted[name] for name in ("cron", "delete_untagged", "workers")}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        told = json.loads(found.get("job_parameters") or "{}")
        return {"cron": found["schedule"]["cron"], "delete_untagged": told.get("delete_untagged", False), "workers": told.get("workers", 1)}

    def create(self, wanted: Tree) -> t.Any:
        parameters = {"delete_untagged": wanted["delete_untagged"], "workers": wanted["workers"], "dry_run": False}
        return self.client.write("PUT", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}, "parameters": parameters})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.create(wanted)

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "None", "cron": ""}})


class ScanAll(Kind):
    """When all images are looked at for known weaknesses, which takes a scanner."""

    name = "harbor_scan_all"
    _path = "/system/scanAll/schedule"

    def key(self, wanted: Tree) -> str:
        return "scan_all"

    def problem(self, wanted: Tree) -> str:
        return "" if wanted["state"] == "absent" else _cron("the schedule of scans", wanted["cron"])

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.get(self._path)
        return t.cast("Tree", found) if found and (found.get("schedule") or {}).get("type") not in (None, "None") else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"cron": wanted["cron"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"cron": found["schedule"]["cron"]}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "None", "cron": ""}})


class User(Kind):
    """A password is told by nobody, but whether one can log in with it can be asked."""

    name = "harbor_user"

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


class Webhook(InProject):
    """Whoever knows its address can post there, so that it is a secret."""

    name = "harbor_webhook"
    hidden = frozenset(("address",))

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['name']}"

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "absent":
            return ""
        if not re.match(r"https?://[^/\s]+", wanted.get("address") or ""):
            return f"webhook {self.key(wanted)}: an address as https://ci.example/hook is expected, but it is none: correct it."
        return "" if wanted["events"] else f"webhook {self.key(wanted)}: events are expected, but none is given: say of what it shall be told."

    def found(self, wanted: Tree) -> Tree | None:
        number = self.number(wanted)
        rows = self.client.all(f"/projects/{number}/webhook/policies")
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {**{name: wanted[name] for name in ("address", "kind", "payload", "insecure", "enabled")}, "events": sorted(wanted["events"])}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        target = (found.get("targets") or [{}])[0]
        told = {"address": target.get("address", ""), "kind": target.get("type", ""), "payload": target.get("payload_format", "Default")}
        more = {"insecure": target.get("skip_cert_verify", False), "enabled": found.get("enabled", False), "events": sorted(found["event_types"])}
        return {**told, **more}

    def _body(self, wanted: Tree) -> Tree:
        target = {"type": wanted["kind"], "address": wanted["address"], "skip_cert_verify": wanted["insecure"], "payload_format": wanted["payload"]}
        return {"name": wanted["name"], "targets": [target], "event_types": wanted["events"], "enabled": wanted["enabled"]}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", f"/projects/{self.number(wanted)}/webhook/policies", self._body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/projects/{found['project_id']}/webhook/policies/{found['id']}", {**self._body(wanted), "id": found["id"]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}/webhook/policies/{found['id']}")


class Setting(Kind):
    """Harbor takes settings that it does not know without a word, so they are looked for."""

    name = "harbor_configuration"
    untold = frozenset(("value",))

    def problem(self, wanted: Tree) -> str:
        return f"setting {wanted['name']} is expected to have a value, but Harbor removes no setting: give it one." if wanted["state"] == "absent" else ""

    def found(self, wanted: Tree) -> Tree | None:
        known = self.client.get("/configurations")
        if wanted["secret"]:
            return {"secret": True}
        if "value" not in known.get(wanted["name"], {}):
            near = difflib.get_close_matches(wanted["name"], known, 1)
            raise HarborError(
                f"setting {wanted['name']} is expected to be one of Harbor's, but is none{f' (is {near[0]} meant?)' if near else ''}: correct it."
            )
        return t.cast("Tree", known[wanted["name"]])

    def _value(self, wanted: Tree, found: Tree) -> t.Any:
        """What is wanted, in the type that Harbor has for it; Ansible often makes a text of a number."""
        text = str(wanted["value"])
        if isinstance(found["value"], bool):
            if text.lower() in ("true", "yes", "false", "no"):
                return text.lower() in ("true", "yes")
        elif isinstance(found["value"], int):
            if re.fullmatch(r"-?\d+", text):
                return int(text)
        else:
            return text
        kind = "true or false" if isinstance(found["value"], bool) else "a whole number"
        raise HarborError(f"setting {wanted['name']} is expected to be {kind}, but is {wanted['value']!r}: correct it.")

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if wanted["secret"] or found is None:
            return {"value": unknown("secret")}
        value = self._value(wanted, found)
        if value != found["value"] and not found.get("editable"):
            raise HarborError(
                f"setting {wanted['name']} is expected to be {value!r}, but is {found['value']!r}, and this Harbor does not let it be changed "
                "(the way to log in, for example, is fixed once there are users): leave it, or begin with a new Harbor."
            )
        return {"value": value}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"value": None if wanted["secret"] else found["value"]}

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", "/configurations", {wanted["name"]: wanted["value"] if wanted["secret"] else self._value(wanted, found)})


# What a rule of retention keeps, and how Harbor calls it and its number.
KEEPS: dict[str, tuple[str, str]] = {
    "latest_pushed": ("latestPushedK", "latestPushedK"),
    "latest_pulled": ("latestPulledN", "latestPulledN"),
    "days_since_push": ("nDaysSinceLastPush", "nDaysSinceLastPush"),
    "days_since_pull": ("nDaysSinceLastPull", "nDaysSinceLastPull"),
    "always": ("always", ""),
}
TYPES = (
    "docker-registry",
    "docker-hub",
    "harbor",
    "ali-acr",
    "aws-ecr",
    "azure-acr",
    "dtr",
    "github-ghcr",
    "gitlab",
    "google-gcr",
    "huawei-SWR",
    "jfrog-artifactory",
    "quay",
    "tencent-tcr",
    "volcengine-cr",
)
EVENTS = (
    "PUSH_ARTIFACT",
    "PULL_ARTIFACT",
    "DELETE_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "SCANNING_COMPLETED",
    "REPLICATION",
    "TAG_RETENTION",
)
KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        Project,
        ProxyCache,
        Member,
        Robot,
        Endpoint,
        Replication,
        Label,
        Retention,
        Immutability,
        Collection,
        ScanAll,
        User,
        Webhook,
        Setting,
    )
}


def _endpoint(client: Client, what: str, name: str) -> int:
    """The number of an endpoint, or the sentence that there is none."""
    found = next(iter(client.where("/registries", "name", name)), None)
    if found is None:
        raise HarborError(f"{what}: endpoint {name} is expected to be there, but is not: make it first, or correct its name.")
    return int(found["id"])


def _of(rule: Tree) -> Tree:
    return {name: rule[name] for name in ("repositories", "tags", "untagged")}


def _pattern(selector: Tree) -> str:
    """A pattern of what does not match is told with a !, so that it differs from what it is taken for."""
    return ("!" if "xclude" in selector["decoration"] else "") + str(selector["pattern"])


def _cron(what: str, text: str) -> str:
    """The sentence for what is none of Harbor's schedules, whose first field are seconds."""
    fields = text.split()
    if len(fields) == 6 and all(re.fullmatch(r"[\d*/,?A-Z-]+", field) for field in fields):
        return ""
    return f"{what}: a cron of six fields is expected, seconds first, as 0 0 3 * * *, but it is {text!r}: correct it."


def size(text: t.Any) -> int | None:
    """Bytes of C(500 GiB), C(1048576) or C(-1); None of anything else."""
    found = re.fullmatch(r"(-1|[1-9]\d*) ?([KMGT]iB)?", str(text).strip())
    if not found or (found[1] == "-1" and found[2]):
        return None
    return int(found[1]) * _UNITS[found[2] or ""]


def _words(metadata: Tree) -> dict[str, str]:
    """Harbor keeps all of a project's metadata as text."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in metadata.items()}
