# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tags of a project stay, and which nobody may move.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from .._prediction import Tree
from .base import InProject, cron_problem, pattern_of

# What a rule of retention keeps, and how Harbor calls it and its number.
KEEPS: dict[str, tuple[str, str]] = {
    "latest_pushed": ("latestPushedK", "latestPushedK"),
    "latest_pulled": ("latestPulledN", "latestPulledN"),
    "days_since_push": ("nDaysSinceLastPush", "nDaysSinceLastPush"),
    "days_since_pull": ("nDaysSinceLastPull", "nDaysSinceLastPull"),
    "always": ("always", ""),
}


class Retention(InProject):
    """Which tags of a project stay; what no rule keeps is removed."""

    name = "harbor_retention"
    options = dict(
        project=dict(type="str", required=True),
        rules=dict(
            type="list",
            elements="dict",
            default=[],
            options=dict(
                keep=dict(type="str", choices=list(KEEPS), required=True),
                number=dict(type="int", default=0),
                repositories=dict(type="str", default="**"),
                tags=dict(type="str", default="**"),
                untagged=dict(type="bool", default=True),
            ),
        ),
        cron=dict(type="str", default="0 0 3 * * *"),
    )

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
        return cron_problem(f"retention of {wanted['project']}", wanted["cron"])

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
            rules.append({"keep": keep, "number": int(number), "repositories": pattern_of(repositories), "tags": pattern_of(tags), "untagged": untagged})
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
    options = dict(
        project=dict(type="str", required=True),
        repositories=dict(type="str", default="**"),
        tags=dict(type="str", required=True),
        disabled=dict(type="bool", default=False),
    )

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['repositories']}:{wanted['tags']}"

    def found(self, wanted: Tree) -> Tree | None:
        number = self.number(wanted)
        rows = self.client.all(f"/projects/{number}/immutabletagrules")
        asked = (wanted["repositories"], wanted["tags"])
        found = next((r for r in rows if (pattern_of(r["scope_selectors"]["repository"][0]), pattern_of(r["tag_selectors"][0])) == asked), None)
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


def _of(rule: Tree) -> Tree:
    return {name: rule[name] for name in ("repositories", "tags", "untagged")}
