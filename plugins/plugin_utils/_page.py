# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages for people, and JUnit for pipelines. Pure but for the templates that it reads.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t
import xml.etree.ElementTree as ET

import jinja2

from ..module_utils._window import duration
from ._audit import GATES, Document, counts, reasons
from ._chinese import chinese
from ._thresholds.judge import amount
from ._thresholds.model import METRICS

Tree = t.Dict[str, t.Any]

_TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "playbooks", "templates")
_STATES = {
    **{state: (words["en"], words["zh"]) for state, words in GATES.items()},
    "deployed": ("deployed", "已部署"),
    "ok": ("ok", "正常"),
    "over": ("over the limit", "超过阈值"),
    "seen": ("seen for a moment", "瞬时超限"),
    "pending": ("pending", "待定"),
    "failed": ("failed", "失败"),
    "filed": ("filed", "已提交"),
    "documented": ("documented", "已写入文档"),
    "reviewed": ("reviewed", "已评审"),
    "approved": ("approved", "已批准"),
    "accepted": ("accepted", "已验收"),
}
_UNITS = {
    "people": ("people", "人"),
    "tasks": ("tasks", "个任务"),
    "TB": ("TB", "TB"),
    "GB": ("GB", "GB"),
    "cores": ("cores", "核"),
    "percent": ("%", "%"),
    "minutes": ("min", "分钟"),
    "truth": ("", ""),
}
_PHASES = {1: ("fewer than 20 users", "用户少于 20 人"), 2: ("20 to 50 users", "用户 20–50 人"), 3: ("more than 50 users", "用户超过 50 人")}


def page(found: Document, language: str) -> str:
    """One HTML page without anything from elsewhere. C(language) (en or zh) is what it opens in; it holds both."""
    over = {(f["host"], f["device"]) for f in found["findings"] if f["state"] == "over"}
    return _rendered(
        "audit.html.j2",
        language,
        **found,
        count=counts(found),
        over=over,
        metrics=METRICS,
        amount=amount,
        duration=duration,
        zh=chinese,
        reasons=reasons,
        state_words=_STATES,
        unit_words=_UNITS,
        phase_users=_PHASES,
    )


def explanation(told: Tree, language: str) -> str:
    """What was wrong with a host, as a page of the same kind; C(told) is what the action explanation has put together."""
    return _rendered("explanation.html.j2", language, **told)


def _rendered(name: str, language: str, **told: t.Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(name).render(language=language, **told)


def _xml(text: str) -> str:
    """Without the signs that XML 1.0 has no place for, https://www.w3.org/TR/xml/#charsets: one of them in a name, and no pipeline reads the rest."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def junit(found: Document) -> str:
    """A test case for each gate, threshold, host and check, as pipelines show them: unknown is skipped, not passed."""
    suite = ET.Element("testsuite", name="audit", timestamp=found["when"])

    def case(kind: str, name: str, failed: str = "", skipped: str = "") -> None:
        element = ET.SubElement(suite, "testcase", classname=f"audit.{kind}", name=_xml(name))
        if failed:
            ET.SubElement(element, "failure", message=_xml(failed))
        elif skipped:
            ET.SubElement(element, "skipped", message=_xml(skipped))

    for module in found["modules"]:
        wrong = module["reason"] if module["deployed"] and not module["passes"] else ""
        case("gate", module["module"], wrong, module["reason"] if module["state"] == "unknown" else "")
    for row in found["thresholds"]:
        told = [
            f"{f['host']} {f['device']}: {f['told']}. {f['advice']}" for f in found["findings"] if f["threshold"] == row["threshold"] and f["state"] == "over"
        ]
        case("threshold", row["threshold"], "\n".join(told), "" if row["worst"] else "not known")
    for host in sorted({c["host"] for c in found["changes"]} | {h["host"] for h in found["hosts"]}):
        case("drift", host, "\n".join(c["line"] for c in found["changes"] if c["host"] == host and c["drift"]))
    for verdict in found["verdicts"]:
        failed = verdict["measured"] if verdict["verdict"] == "failed" else ""
        case("verify", f"{verdict['host']} {verdict['subject']}", failed, verdict["measured"] if verdict["verdict"] == "pending" else "")
    for failure in found["failures"]:
        case("run", f"{failure['host']} {failure['task']}", failure["message"] or "failed")
    for name in ("failure", "skipped"):
        suite.set({"failure": "failures"}.get(name, name), str(len(suite.findall(f"testcase/{name}"))))
    suite.set("tests", str(len(suite)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
