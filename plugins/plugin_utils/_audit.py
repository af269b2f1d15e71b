# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit as a document: from the records of the run to what docs/audit.schema.json describes. Pure: no I/O, no clock.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ._chinese import chinese
from ._report import Record, change_line
from ._thresholds.judge import amount
from ._thresholds.model import METRICS

SCHEMA = 1
GATES = {
    "open": {"en": "open", "zh": "开放"},
    "closed": {"en": "not due", "zh": "未满足"},
    "unknown": {"en": "not known", "zh": "未知"},
    "overridden": {"en": "overridden", "zh": "人工放行"},
}
POLICIES = ("drift", "violation", "gate", "never")
Document = t.Dict[str, t.Any]
Markers = t.Mapping[str, t.Mapping[str, t.Any]]  # by host, by role and part


def document(records: t.Sequence[Record], markers: Markers, when: str, seconds: float, previous: Document | None) -> Document:
    """C(when) as 2026-11-24 10:00 UTC, C(seconds) the run took, C(previous) the last audit's document."""
    # the audit's own comes first; a module's playbook puts together the little that its gate asks for
    told = next((record["evidence"] for record in records if record.get("evidence")), None) or {"readings": {}, "declared": {}, "phase": None, "horizontal": []}
    gates = [gate for record in records for gate in record.get("gates") or [] if "phase" in gate]
    deployed = {host: sorted(roles) for host, roles in markers.items() if roles}
    found: Document = {
        "schema": SCHEMA,
        "when": when,
        "seconds": round(seconds, 1),
        "phase": told["phase"],
        "prometheus": _last(records, "prometheus") or {"state": "unknown", "reason": ""},
        "evidence": _evidence(told, gates),
        "modules": [{**gate, "deployed": _hosts_with(deployed, gate["module"])} for gate in {g["module"]: g for g in gates}.values()],
        "findings": _findings(records),
        "thresholds": _by_threshold(records),
        "hosts": _hosts(records),
        "changes": _changes(records, deployed),
        "verdicts": [
            {"host": r["host"], "role": r["role"], **verdict}
            for r in records
            for verdict in r.get("verdicts") or []
            if r["role"] or verdict["verdict"] == "failed"
        ],
        "failures": [
            {"host": r["host"], "task": r["task"], "message": r["message"]} for r in records if r["failed"] and not r.get("verdicts") and not r.get("policy")
        ],
        "outcomes": [outcome for record in records for outcome in record.get("outcomes") or []],
        "requests": _last(records, "requests") or {"kept": False, "requests": [], "wrong": []},
        "images": [verdict for record in records for verdict in record.get("images") or []],
        "horizontal": told["horizontal"],
        "slowest": [{"host": r["host"], "task": r["task"], "seconds": r["seconds"]} for r in sorted(records, key=lambda r: -(r["seconds"] or 0))[:5]],
    }
    found["compared"] = compared(found, previous)
    found["summary"] = summary(found)
    return found


def _last(records: t.Sequence[Record], key: str) -> t.Any:
    return next((record[key] for record in reversed(records) if record.get(key)), None)


def _hosts_with(deployed: t.Mapping[str, t.Sequence[str]], module: str) -> list[str]:
    return sorted(host for host, roles in deployed.items() if _has(roles, module))


def _has(roles: t.Iterable[str], module: str) -> bool:
    return any(role == module or role.startswith(module + "_") for role in roles)


def _evidence(told: t.Mapping[str, t.Any], gates: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    names = {c["evidence"]: c for gate in gates for c in gate["conditions"]}
    names.setdefault("users", {"name": "users", "name_zh": "用户数", "unit": "people"})
    readings = {key: [dict(reading) for reading in rows] for key, rows in told["readings"].items()}
    for key, value in told["declared"].items():
        readings.setdefault(key, []).append({"source": "declared", "value": float(value), "reason": ""})
    return [
        {"evidence": key, **{field: names[key][field] for field in ("name", "name_zh", "unit")}, "readings": readings.get(key, [])} for key in sorted(names)
    ]


def _all_findings(records: t.Sequence[Record]) -> t.Iterator[dict[str, t.Any]]:
    for record in records:
        for finding in record.get("findings") or []:
            yield {"host": record["host"], **finding}


def _findings(records: t.Sequence[Record]) -> list[dict[str, t.Any]]:
    """What is not well, the worst first."""
    order = ["over", "seen", "unknown"]
    severities = ["critical", "warning", "info"]
    found = [f for f in _all_findings(records) if f["state"] != "ok"]
    return sorted(found, key=lambda f: (order.index(f["state"]), severities.index(f["severity"]), f["host"], f["device"]))


def _by_threshold(records: t.Sequence[Record]) -> list[dict[str, t.Any]]:
    """How many devices are in which state, and the one nearest to its limit or farthest above it."""
    rows: dict[str, dict[str, t.Any]] = {}
    for finding in _all_findings(records):
        metric = METRICS[finding["metric"]]
        row = rows.setdefault(
            finding["threshold"],
            {
                "threshold": finding["threshold"],
                "name": metric.name,
                "name_zh": metric.name_zh,
                "operator": finding["operator"],
                "limit": finding["limit"],
                "unit": metric.unit,
                "states": collections.Counter(),
                "worst": None,
            },
        )
        row["states"][finding["state"]] += 1
        sign = 1 if finding["operator"].startswith(">") else -1
        value = finding["value"]
        if value is not None and (row["worst"] is None or sign * value > sign * row["worst"]["value"]):
            row["worst"] = {key: finding[key] for key in ("host", "device", "value")}
            row["worst"]["told"] = amount(value, metric.unit)
    return [{**row, "states": dict(row["states"])} for row in rows.values()]


def _hosts(records: t.Sequence[Record]) -> list[dict[str, t.Any]]:
    """What is on the picture of the fleet: each GPU's memory, utilisation and temperature."""
    hosts: dict[str, dict[str, t.Any]] = {}
    for record in records:
        reading = record.get("reading")
        if not reading:
            continue
        unread = {"state": "", "message": "", "gpus": [], "links": [], "disks": [], "administrators": [], "administrators_unknown": ""}
        host = hosts.setdefault(record["host"], {"host": record["host"], **unread})
        if reading["kind"] == "gpu":
            host.update(state=reading.get("state", ""), message=reading.get("message", ""), gpus=[_gpu(gpu) for gpu in reading.get("gpus", [])])
        else:
            key = reading["kind"] + "s"
            host[key] = reading.get(key, [])
            if key == "administrators":
                host["administrators_unknown"] = reading.get("unknown", "")
    return [hosts[name] for name in sorted(hosts)]


def _gpu(gpu: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    total, used = gpu.get("memory_total_mib"), gpu.get("memory_used_mib")
    return {
        "index": gpu["index"],
        "name": gpu.get("name"),
        "state": gpu["state"],
        "memory_percent": round(100 * used / total) if total and used is not None else None,
        "utilization_percent": gpu.get("utilization_percent"),
        "temperature_celsius": gpu.get("temperature_celsius"),
        "users": sorted({process["user"] for process in gpu.get("processes", []) if process.get("user")}),
    }


def _changes(records: t.Sequence[Record], deployed: t.Mapping[str, t.Sequence[str]]) -> list[dict[str, t.Any]]:
    """Predictions; on a host where the role was deployed before they are drift."""
    found = []
    for record in records:
        role = record["role"].rpartition(".")[2]
        for change in record.get("prediction") or [] if record["changed"] and not record["failed"] else []:
            found.append(
                {
                    "host": record["host"],
                    "role": role,
                    "drift": bool(role) and _has(deployed.get(record["host"], ()), role),
                    "line": change_line(change),
                    **change,
                }
            )
    return found


def keys(found: Document) -> dict[str, dict[str, str]]:
    """What an audit tells, C(en) and C(zh), by a key that the next audit has too if it is still so."""
    told: dict[str, dict[str, str]] = {}
    for f in found["findings"]:
        if f["state"] == "over":
            metric, where = METRICS[f["metric"]], f"{f['host']} {f['device']}"
            told[f"over {where} {f['threshold']}"] = {"en": f"{where}: {metric.name} {f['told']}", "zh": f"{where}：{metric.name_zh} {chinese(f['told'])}"}
    told.update({f"drift {c['host']} {c['kind']} {c['key']}": _same(f"{c['host']}: {c['line']}") for c in found["changes"] if c["drift"]})
    for m in found["modules"]:
        told[f"gate {m['module']} {m['state']}"] = {lang: f"{m[name]}: {GATES[m['state']][lang]}" for lang, name in (("en", "name"), ("zh", "name_zh"))}
    told.update(
        {
            f"image {i['image']} {i['node']}": {"en": _fits(i, i["why"]), "zh": _fits(i, chinese(i["why"]))}
            for i in found.get("images", [])
            if i["runs"] is False
        }
    )
    told.update({f"failed {v['host']} {v['subject']}": _same(f"{v['host']}: {v['measured']}") for v in found["verdicts"] if v["verdict"] == "failed"})
    for host in found["hosts"]:
        for account in host.get("administrators", []):
            by = reasons(account)
            told[f"root {host['host']} {account['user']} {by['en']}"] = {
                "en": f"{host['host']}: {account['user']} is root beside root ({by['en']})",
                "zh": f"{host['host']}：{account['user']} 等同 root（{by['zh']}）",
            }
        unknown = host.get("administrators_unknown", "")
        if unknown:
            told[f"root {host['host']} {unknown}"] = {"en": f"{host['host']}: {unknown}", "zh": f"{host['host']}：{chinese(unknown)}"}
    return told


def reasons(account: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Why an account is root beside root, C(en) and C(zh); names of groups stay as they are."""
    zh = [re.sub(": (all|some) commands$", lambda end: "：全部命令" if end[1] == "all" else "：部分命令", why) for why in account["by"]]
    return {"en": ", ".join(account["by"]), "zh": "，".join(zh)}


def _fits(verdict: t.Mapping[str, t.Any], why: str) -> str:
    return f"{verdict['image']} {verdict['node']}: {why}"


def _same(text: str) -> dict[str, str]:
    return {"en": text, "zh": text}


def compared(found: Document, previous: Document | None) -> dict[str, t.Any] | None:
    """What is new and what is gone since the previous audit."""
    if previous is None or previous.get("schema") != SCHEMA:
        return None
    now, then = keys(found), keys(previous)
    return {
        "with": previous["when"],
        "new": [text for key, text in now.items() if key not in then],
        "gone": [text for key, text in then.items() if key not in now],
    }


def counts(found: Document) -> dict[str, int]:
    return {
        "violation": sum(f["state"] == "over" for f in found["findings"]),
        "drift": sum(c["drift"] for c in found["changes"]),
        "gate": sum(not m["passes"] and bool(m["deployed"]) for m in found["modules"]),
        "misfit": len({i["image"] for i in found["images"] if i["runs"] is False}),
        "failed": sum(v["verdict"] == "failed" for v in found["verdicts"]) + len(found["failures"]),
        "unknown": sum(f["state"] == "unknown" for f in found["findings"]) + sum(m["state"] == "unknown" for m in found["modules"]),
    }


def summary(found: Document) -> dict[str, str]:
    """One sentence that a person would say, C(en) and C(zh)."""
    n = counts(found)
    users = next((r["value"] for e in found["evidence"] if e["evidence"] == "users" for r in e["readings"] if r.get("value") is not None), None)
    due = [m for m in found["modules"] if m["passes"] and not m["deployed"]]
    en = [f"The lab of {users:.0f} users is in phase {found['phase']}." if users is not None else "How many users the lab has is not known."]
    zh = [f"实验室有 {users:.0f} 名用户，处于阶段{found['phase']}。" if users is not None else "用户数未知。"]
    over = [f for f in found["findings"] if f["state"] == "over"]
    if over:
        where = ", ".join(dict.fromkeys(f"{f['host']} {f['device']}" for f in over[:3])) + (" …" if len(over) > 3 else "")
        en.append(f"{len(over)} thing{'s are' if len(over) > 1 else ' is'} over the limit: {where}.")
        zh.append(f"{len(over)} 项超过阈值：{where}。")
    else:
        en.append("Nothing is over its limit.")
        zh.append("没有超过阈值的项目。")
    if n["drift"]:
        hosts = len({c["host"] for c in found["changes"] if c["drift"]})
        en.append(f"{n['drift']} thing{'s' if n['drift'] > 1 else ''} drifted on {hosts} host{'s' if hosts > 1 else ''}.")
        zh.append(f"{hosts} 台主机上有 {n['drift']} 处漂移。")
    elif any(m["deployed"] for m in found["modules"]):
        en.append("What is deployed is as declared.")
        zh.append("已部署的内容与声明一致。")
    if n["misfit"]:
        en.append(f"{n['misfit']} image{'s do' if n['misfit'] > 1 else ' does'} not run on some node.")
        zh.append(f"{n['misfit']} 个镜像无法在某些节点上运行。")
    if due:
        en.append(f"The way is open for {', '.join(m['name'] for m in due)}.")
        zh.append(f"可以部署：{'、'.join(m['name_zh'] for m in due)}。")
    if n["failed"]:
        en.append(f"{n['failed']} check{'s' if n['failed'] > 1 else ''} failed.")
        zh.append(f"{n['failed']} 项检查失败。")
    if n["unknown"]:
        en.append(f"{n['unknown']} thing{'s' if n['unknown'] > 1 else ''} could not be known.")
        zh.append(f"{n['unknown']} 项未知。")
    return {"en": " ".join(en), "zh": "".join(zh)}


def broken(found: Document, policy: t.Sequence[str]) -> list[str]:
    """What C(policy), some of POLICIES, does not allow, each as a sentence."""
    n = counts(found)
    told = {
        "drift": "nothing is expected to have drifted, but {n} did: apply the phase again, or take the change into the inventory.",
        "violation": "nothing is expected to be over its limit, but {n} is: see the advice in the report.",
        "gate": "deployed modules are expected to have an open gate, but {n} has not: declare what is there, or name who answers for it.",
    }
    return [f"audit: {told[kind].format(n=n[kind])}" for kind in policy if kind in told and n[kind]]
