# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lines of logs mean: from one table to the ingest pipeline that marks them and the alert rules that call somebody. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
import typing as t

from ...module_utils._gpu.xid import HARDWARE, XIDS, meaning

Tree = t.Dict[str, t.Any]

# Of grok's own patterns those that make sense in a line of a log; the engine has more.
GROK = frozenset(
    (
        "DATA",
        "GREEDYDATA",
        "HOSTNAME",
        "INT",
        "IP",
        "IPV4",
        "IPV6",
        "IPORHOST",
        "LOGLEVEL",
        "MAC",
        "NOTSPACE",
        "NUMBER",
        "PATH",
        "POSINT",
        "QUOTEDSTRING",
        "SPACE",
        "URI",
        "USER",
        "UUID",
        "WORD",
    )
)
SEVERITIES = ("critical", "warning", "info")
XID = "xid"  # in place of class and severity: the table of Xids decides
_KEYS = {
    "id",
    "name",
    "name_zh",
    "program",
    "contains",
    "pattern",
    "device",
    "class",
    "severity",
    "frequency",
    "new",
    "leads_to",
    "advice",
    "advice_zh",
    "fires",
    "spares",
}
_NEEDED = _KEYS - {"program", "device", "frequency", "new", "leads_to", "advice", "advice_zh"}
# What of many lines calls, by key of a signal, and what it needs to know.
_MANY = {"frequency": {"num_events", "minutes"}, "new": {"days"}}
# Marks a line with the first signal that it has, and turns every PCI address into what pci_slot of _gpu/xid.py makes of it.
_MARK = """
def id = ctx.signal.keySet().iterator().next();
def known = params.signals[id];
def signal = ['id': id, 'evidence': ctx.signal[id]];
if (known.by_xid == true) {
  def xid = params.xids[String.valueOf(ctx.gpu.xid)];
  known = xid != null ? xid : params.xids['other'];
}
for (part in ['name', 'name_zh', 'class', 'severity', 'advice', 'advice_zh']) {
  if (known[part] != null) { signal[part] = known[part]; }
}
ctx.signal = signal;
def by = params.signals[id].device;
if (by != null && ctx.device?.name == null && ctx[by[0]] != null) {
  ctx.device = ['name': ctx[by[0]][by[1]]];
}
if (params.signals[id].pci == true) {
  String name = ctx.device.name.toLowerCase();
  int dot = name.indexOf('.');
  def parts = (dot > 0 ? name.substring(0, dot) : name).splitOnToken(':');
  String slot = parts[parts.length - 2] + ':' + parts[parts.length - 1];
  String domain = parts.length > 2 ? parts[parts.length - 3] : '';
  while (domain.startsWith('0')) { domain = domain.substring(1); }
  while (domain.length() > 0 && domain.length() < 4) { domain = '0' + domain; }
  ctx.device.name = domain.length() > 0 ? domain + ':' + slot : slot;
}
"""


class SignalError(Exception):
    """The table cannot be used; a sentence for the admin."""


def check(table: Tree) -> list[Tree]:
    """The signals of C(table), or SignalError."""
    seen: set[str] = set()
    for number, signal in enumerate(table.get("signals") or [], 1):
        where = f"signal {signal.get('id') or number}"
        lacking = sorted(_NEEDED - signal.keys())
        if lacking:
            raise SignalError(f"{where}: {', '.join(lacking)} is expected, but not there: add it to the table of signals.")
        foreign = sorted(signal.keys() - _KEYS)
        if foreign:
            raise SignalError(f"{where}: only {', '.join(sorted(_KEYS))} are expected, but it has {', '.join(foreign)}: correct the table of signals.")
        if signal["severity"] not in (*SEVERITIES, XID):
            raise SignalError(f"{where}: a severity of {', '.join(SEVERITIES)} is expected, but it has {signal['severity']!r}: correct the table of signals.")
        if signal["severity"] != XID and not (signal.get("advice") and signal.get("advice_zh")):
            raise SignalError(f"{where}: advice and advice_zh are expected, but not there: say what to do.")
        many = sorted(_MANY.keys() & signal.keys())
        if len(many) > 1 or any(signal[key].keys() != _MANY[key] for key in many):
            known = ", ".join(f"{key} ({', '.join(sorted(needs))})" for key, needs in _MANY.items())
            raise SignalError(f"{where}: one of {known} is expected, but it has {', '.join(many)} otherwise: correct the table of signals.")
        for key in ("contains", "pattern", "fires", "spares"):
            strange = [text for text in signal[key] if not isinstance(text, str)]
            if strange:
                raise SignalError(f"{where}: texts are expected in {key}, but one is {strange[0]!r}: put it into quotes.")
        for pattern in signal["pattern"]:
            problem = grok_problem(pattern, table.get("patterns") or {})
            if problem:
                raise SignalError(f"{where}: a grok pattern is expected, but {problem}: correct {pattern!r}.")
        if signal["id"] in seen:
            raise SignalError(f"{where}: each id is expected once, but this one comes twice: rename one of them.")
        seen.add(signal["id"])
    for signal in table.get("signals") or []:
        strange = sorted(set(signal.get("leads_to") or ()) - seen)
        if strange:
            raise SignalError(f"signal {signal['id']}: leads_to is expected to name signals, but {', '.join(strange)} is none: correct the table of signals.")
    return list(table.get("signals") or [])


def consequences(table: Tree) -> dict[str, set[str]]:
    """By the id of a signal, all that is seen because of it, one thing leading to the next."""
    direct = {signal["id"]: set(signal.get("leads_to") or ()) for signal in check(table)}
    found = {}
    for begin in direct:
        reached: set[str] = set()
        ahead = set(direct[begin])
        while ahead:
            reached |= ahead
            ahead = set().union(*(direct[id] for id in ahead)) - reached
        found[begin] = reached - {begin}
    return found


def repeats(table: Tree) -> dict[str, float]:
    """By the id of a signal, how often it must be seen to matter by itself; one that matters when it is new does not."""
    often = {}
    for signal in check(table):
        if "new" in signal:
            often[signal["id"]] = float("inf")
        elif "frequency" in signal:
            often[signal["id"]] = float(signal["frequency"]["num_events"])
    return often


def grok_problem(pattern: str, definitions: t.Mapping[str, str]) -> str:
    """Why the engine could not compile C(pattern), as a phrase; empty when it could. Its dialect and Python's agree on what is used here."""
    unknown = sorted(set(re.findall(r"%\{(\w+)", pattern)) - GROK - definitions.keys())
    if unknown:
        return f"it uses {', '.join(unknown)}, which nobody defines"
    return regex_problem(re.sub(r"\(\?<(?![=!])(\w+)>", r"(?P<\1>", re.sub(r"%\{[^}]*\}", "x", pattern)))


def regex_problem(pattern: str) -> str:
    """Why C(pattern) is no regular expression, as a phrase; empty when it is one."""
    # what POSIX calls [[:space:]], and flags in the middle, are the same as far as the brackets go
    plain = re.sub(r"\(\?[a-z]+:", "(?:", re.sub(r"\[:\w+:\]", "a", pattern))
    try:
        re.compile(plain)
    except re.error as exc:
        return f"it is none: {exc.msg}"
    return ""


def pipeline(table: Tree) -> Tree:
    """The body of the ingest pipeline, https://docs.opensearch.org/2.19/ingest-pipelines/; both engines take it."""
    signals = check(table)
    known: Tree = {}
    steps: list[Tree] = [{"set": {"field": "event.ingested", "value": "{{_ingest.timestamp}}"}}]
    for signal in signals:
        definitions = {**(table.get("patterns") or {})}
        names = []
        for number, pattern in enumerate(signal["pattern"]):
            names.append(f"SIGNAL{number}")
            definitions[names[-1]] = pattern
        steps.append(
            {
                "grok": {
                    "tag": signal["id"],
                    "if": _condition(signal),
                    "field": "message",
                    "patterns": ["%{" + name + ":signal." + signal["id"] + "}" for name in names],
                    "pattern_definitions": definitions,
                    "ignore_failure": True,
                }
            }
        )
        known[signal["id"]] = {
            **({"by_xid": True} if signal["class"] == XID else {k: signal[k] for k in ("name", "name_zh", "class", "severity", "advice", "advice_zh")}),
            **({"pci": True} if any("%{PCI:device.name}" in pattern for pattern in signal["pattern"]) else {}),
            **({"device": signal["device"].split(".")} if signal.get("device") else {}),
        }
    steps.append({"script": {"tag": "mark", "if": "ctx.signal != null", "source": _MARK, "params": {"signals": known, "xids": xids()}}})
    return {
        "description": "Marks what lines of logs mean; made of the table of signals",
        "processors": steps,
        # a line that cannot be understood is kept as it is
        "on_failure": [
            {"set": {"field": "error.message", "value": "{{ _ingest.on_failure_message }}"}},
            {"remove": {"field": "signal", "ignore_missing": True}},
        ],
    }


def xids() -> Tree:
    """What the pipeline says of an Xid, by its code; C(other) is one that is not in the table."""
    table = {str(code): meaning(code) for code in XIDS}
    table["other"] = meaning(-1)
    return {
        code: {
            "name": f"{each.name} (Xid {code})" if code != "other" else "Xid that is not in the table",
            "name_zh": f"{each.name_zh}（Xid {code}）" if code != "other" else "未收录的 Xid",
            "class": each.kind,
            "severity": "critical" if each.kind in HARDWARE else "info",
            "advice": each.advice,
            "advice_zh": each.advice_zh,
        }
        for code, each in table.items()
    }


def rules(table: Tree) -> list[Tree]:
    """The alert rules for ElastAlert2, https://elastalert2.readthedocs.io/en/latest/ruletypes.html, without where to send.

    One rule a signal that calls somebody, and one a class of hardware for Xids. What falls silent, or rises, is told by metrics, which no restart forgets.
    """
    found = []
    for signal in check(table):
        if signal["severity"] == XID:
            found += [_rule(f"{signal['id']}_{kind}", signal, "critical", {"signal.class": kind}) for kind in HARDWARE]
        elif signal["severity"] != "info":
            found.append(_rule(signal["id"], signal, signal["severity"], {}))
    return found


def page(table: Tree) -> str:
    """docs/log-signals.md: what is looked for, and what to do about it."""

    def row(name: str, kind: str, severity: str, advice: str, example: str) -> str:
        return f"| {name} | {kind} | {severity} | {advice} | `{example.replace('|', '&#124;')}` |"

    rows = [row(s["name"], s["class"], s["severity"] + _when(s), s["advice"], s["fires"][0]) for s in check(table) if s["severity"] != XID]
    known = [row(told["name"], told["class"], told["severity"], told["advice"], f"NVRM: Xid (PCI:0000:65:00): {code}, …") for code, told in xids().items()]
    head = ["| signal | class | severity | what to do | a line |", "|---|---|---|---|---|"]
    return "\n".join(
        [
            "# What lines of logs mean",
            "",
            "Made of `roles/elk/files/signals.yml` and the table of Xids; a test holds this page against them. `info` is kept and calls nobody:",
            "a program of a user that fails is no broken GPU, and a row remap waits for what the row-remap state says.",
            "",
            *head,
            *rows,
            "",
            "## Xids",
            "",
            *head,
            *known,
            "",
        ]
    )


def _when(signal: Tree) -> str:
    """How many lines it takes, in words."""
    if "frequency" in signal:
        return f", {signal['frequency']['num_events']} in {signal['frequency']['minutes']} min"
    return f", the first in {signal['new']['days']} days" if "new" in signal else ""


def _rule(name: str, signal: Tree, severity: str, more: Tree) -> Tree:
    kind: Tree = {"type": "any"}
    if "frequency" in signal:
        kind = {"type": "frequency", "num_events": signal["frequency"]["num_events"], "timeframe": {"minutes": signal["frequency"]["minutes"]}}
    elif "new" in signal:
        kind = {"type": "new_term", "fields": [["host.name", "device.name"]], "terms_window_size": {"days": signal["new"]["days"]}}
        kind.update(use_keyword_postfix=False)
    return {
        "name": name,
        "description": signal["name"],
        **kind,
        "filter": [{"term": {field: value}} for field, value in {"signal.id": signal["id"], **more}.items()],
        "query_key": ["host.name", "device.name"],
        "severity": severity,
    }


def _condition(signal: Tree) -> str:
    """Painless: cheap looks before the pattern."""
    parts = ["ctx.signal == null", "ctx.message != null"]
    if signal.get("program"):
        # a line of a shipper that does not tell who it speaks for yet has its name alone
        speaker = "(ctx.event?.provider != null ? ctx.event.provider : ctx.process?.name)"
        parts.append(f"{json.dumps(list(signal['program']))}.contains({speaker})")
    parts.append("(" + " || ".join(f"ctx.message.contains({_quoted(text)})" for text in signal["contains"]) + ")")
    return " && ".join(parts)


def _quoted(text: str) -> str:
    return "'" + re.sub(r"([\\'])", r"\\\1", text) + "'"
