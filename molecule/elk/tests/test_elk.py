# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log engine on test hosts: the contract first, then what it is for."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import sys
import time
import typing as t

import pytest
import yaml
from harness import ROOT, Contract, Lab, soak
from lab_logs import Logs, phrase

SIGNALS = yaml.safe_load((ROOT / "roles" / "elk" / "files" / "signals.yml").read_text(encoding="utf-8"))["signals"]
SIGNAL = {**next(signal for signal in SIGNALS if signal["id"] == "gpu_off_bus"), "id": "own"}
MANY = bool(os.environ.get("SOAK"))


def test_contract(contract: Contract) -> None:
    assert not contract.disagreements, contract.report()
    assert contract.compared > 300


# -- who may do what


def test_nobody_knows_a_password_that_was_there_before(logs: Logs) -> None:
    for who in ("", "-u admin:admin", "-u kibanaserver:kibanaserver", "-u logstash:logstash"):
        assert logs.ask("GET", "/", who=who)[0] == 401, who


@pytest.mark.parametrize(
    ("user", "may", "may_not"),
    [
        (
            "shipper:box-Harbour-8830-sail",
            [("POST", "/logs-lab-system/_doc", {"@timestamp": "2026-11-24T00:00:00Z", "message": "x"})],
            [
                ("GET", "/logs-lab-*/_search", None),
                ("DELETE", "/_data_stream/logs-lab-system", None),
                ("POST", "/other/_doc", {}),
                ("GET", "/_cat/indices", None),
            ],
        ),
        (
            "viewer:box-Window-1193-leaf",
            [("GET", "/logs-lab-*/_search", None)],
            [("POST", "/logs-lab-system/_doc", {"@timestamp": 0}), ("DELETE", "/_data_stream/logs-lab-system", None), ("GET", "/elastalert/_search", None)],
        ),
        (
            "alerter:box-Candle-6652-moss",
            [("GET", "/logs-lab-*/_search", None), ("POST", "/elastalert_status/_doc", {"@timestamp": 0})],
            [("POST", "/logs-lab-system/_doc", {"@timestamp": 0}), ("DELETE", "/_data_stream/logs-lab-system", None), ("PUT", "/_ingest/pipeline/gpulab", {})],
        ),
    ],
)
def test_each_user_may_do_what_it_needs_and_no_more(logs: Logs, user: str, may: list[t.Any], may_not: list[t.Any]) -> None:
    for method, path, body in may:
        assert logs.ask(method, path, body, who=f"-u {user}")[0] in (200, 201), path
    for method, path, body in may_not:
        assert logs.ask(method, path, body, who=f"-u {user}")[0] == 403, path


def test_a_dry_run_asks_and_never_writes_by_the_engines_own_audit_log(logs: Logs, contract: Contract) -> None:
    def written(since: float) -> int:
        time.sleep(2)
        logs.ask("POST", "/security-auditlog-*/_refresh")
        by = {"terms": {"audit_rest_request_method.keyword": ["PUT", "DELETE", "PATCH"]}}
        when = {"range": {"@timestamp": {"gte": int(since * 1000), "format": "epoch_millis"}}}
        found = logs.ask("POST", "/security-auditlog-*/_count", {"query": {"bool": {"filter": [by, when]}}})
        assert found[0] == 200, found
        return int(found[1]["count"])

    logs.ask("DELETE", "/_plugins/_security/api/internalusers/viewer")
    begun = time.time()
    dry = contract.dry_run("audit log")
    assert [key[1:] for key in dry.changes()] == [("search_user", "viewer")]
    assert written(begun) == 0
    real = contract.apply("audit log")
    assert real.rc == 0 and written(begun) > 0, "the audit log is expected to have what the real run wrote"


# -- what lines mean, by the real pipeline


def test_every_signal_is_seen_and_no_look_alike_is_taken_for_one(logs: Logs) -> None:
    cases = [(signal, line, fires) for signal in SIGNALS for fires in (True, False) for line in signal["fires" if fires else "spares"]]
    speakers = [(signal.get("program") or ["anybody"])[0] for signal, _line, _fires in cases]
    docs = [{"_source": {"message": line, "event": {"provider": who}, "process": {"name": who}}} for who, (_signal, line, _fires) in zip(speakers, cases)]
    status, answer = logs.ask("POST", "/_ingest/pipeline/gpulab/_simulate", {"docs": docs})
    assert status == 200, answer
    wrong = []
    many = {signal["id"] for signal in SIGNALS if signal.keys() & {"frequency", "new"}}
    for (signal, line, fires), row in zip(cases, answer["docs"]):
        source = row["doc"]["_source"]
        found = source.get("signal", {})
        # a look-alike may be something else of which one calls nobody
        right = found.get("id") == signal["id"] if fires else not found or found["id"] != signal["id"] and (found["severity"] == "info" or found["id"] in many)
        if not right or "error" in source:
            wrong.append((signal["id"], line, found, source.get("error")))
        elif fires:
            assert source["device"]["name"] and found["severity"] and found["advice"] and found["advice_zh"], source
    assert not wrong, wrong


def test_who_shows_a_kernel_log_is_not_the_kernel(logs: Logs) -> None:
    line = "NVRM: Xid (PCI:0000:65:00): 79, pid=1, GPU has fallen off the bus."
    speakers = [{"process": {"name": "python"}}, {"process": {"name": "kernel"}, "event": {"provider": "anybody"}}, {"event": {"provider": "root"}}]
    rows = logs.ask("POST", "/_ingest/pipeline/gpulab/_simulate", {"docs": [{"_source": {"message": line, **who}} for who in speakers]})[1]["docs"]
    assert len(rows) == 3 and not [row for row in rows if "signal" in row["doc"]["_source"]]


# -- what hosts ship


def test_secrets_stay_on_the_host(lab: Lab, logs: Logs) -> None:
    told = "mask-me password=hunter2 and token: s3cr3t then passwd='again' Authorization: Bearer abcdef end"
    lab.sh("gpu1", f'logger "{told}"')
    assert logs.wait_for(phrase("mask-me")) == 1
    (line,) = logs.lines(phrase("mask-me"))
    assert not [secret for secret in ("hunter2", "s3cr3t", "again", "abcdef") if secret in line["message"]], line["message"]
    assert line["message"].endswith("end") and line["host"]["name"] == "gpu1" and line["event"]["dataset"] == "system"


def test_a_traceback_is_one_event(lab: Lab, logs: Logs) -> None:
    trace = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    step()\n'
    trace += "RuntimeError: CUDA error: an illegal memory access was encountered in traceback-test\n"
    lab.sh(
        "gpu1",
        "mkdir -p /var/log/app; cat >> /var/log/app/train.log",
        stdin=trace + "2026-11-24 10:00:00 epoch 1 traceback-follows\n2026-11-24 10:00:01 epoch 2\n",
    )
    assert logs.wait_for(phrase("traceback-follows")) == 1
    (line,) = logs.lines(phrase("encountered in traceback-test"))
    assert line["message"] == trace.rstrip("\n")
    assert line["signal"]["id"] == "cuda_error" and line["device"]["name"] == "train" and line["log"]["file"]["path"] == "/var/log/app/train.log"


def test_engine_killed_shipper_restarted_and_file_rotated_lose_no_line(lab: Lab, logs: Logs) -> None:
    number = 50000 if MANY else 4000
    half = number // 2
    write = "python3 -c 'import sys; [print(f\"2026-11-24 burst-kill line {n} of many\") for n in range(int(sys.argv[1]), int(sys.argv[2]))]'"
    lab.sh("gpu1", f"{write} 0 {half} >> /var/log/app/burst.log; systemctl restart rsyslog")
    lab.sh("mgmt1", "systemctl kill -s KILL opensearch")  # its unit starts it again
    time.sleep(4)
    lab.sh("gpu1", f"mv /var/log/app/burst.log /var/log/app/burst.log.1; {write} {half} {number} > /var/log/app/burst.log; systemctl restart gpulab-ship")
    assert logs.wait_for(phrase("burst-kill"), number, 900) == number
    time.sleep(3)
    assert logs.count(phrase("burst-kill")) == number, "lines came twice"
    assert "They wait on this host." in lab.sh("gpu1", "journalctl -u gpulab-ship --no-pager").stdout


# -- who is called


def test_rules_are_looked_at_when_they_are_due(lab: Lab, contract: Contract) -> None:
    """ElastAlert2 asks for up to five seconds more, at random; with our way to start it, its own scheduler does not give them."""
    program = """
import gpulab._logs.programs.alerter, elastalert.elastalert
from apscheduler.schedulers.background import BackgroundScheduler
def main():
    print(BackgroundScheduler().add_job(print, "interval", seconds=2, jitter=5).trigger.jitter)
elastalert.elastalert.main = main
gpulab._logs.programs.alerter.main()
"""
    python = "cd /tmp; PYTHONPATH=/usr/local/lib/gpulab /opt/gpulab/elastalert/bin/python -B -"
    assert lab.sh("mgmt1", python, stdin=program).stdout.strip() == "None"
    assert "gpulab._logs.programs.alerter" in lab.sh("mgmt1", "tr '\\0' ' ' < /proc/$(systemctl show -p MainPID --value gpulab-elastalert)/cmdline").stdout


def test_each_event_calls_once(lab: Lab, logs: Logs, contract: Contract) -> None:
    """One device for each event, because a device calls once in an hour."""
    logs.hook()
    each = 100 if MANY else 20
    sent: dict[tuple[str, str], float] = {}
    for host, codes in (("gpu1", (79, 48)), ("mgmt1", (74, 119))):
        devices = [f"{bus:02x}:{0x10 if host == 'gpu1' else 0x11:02x}" for bus in range(each)]
        lines = [f"NVRM: Xid (PCI:0000:{device}): {codes[n % 2]}, pid=7, something" for n, device in enumerate(devices)]
        sent.update({(host, device): when for device, when in zip(devices, logs.say(host, lines, pause=0.2))})
    # a program's fault, which must call nobody
    logs.say("gpu1", ["NVRM: Xid (PCI:0000:fe:01): 31, pid=7, name=python", "NVRM: Xid (PCI:0000:fe:02): 45, pid=7, name=python"])
    until = time.monotonic() + 180
    while len(logs.called()) < len(sent) and time.monotonic() < until:
        time.sleep(1)
    time.sleep(5)
    # a unit that failed while an earlier test had killed the engine calls, too, and rightly
    called = [(body["host"], body["device"], when) for when, body in logs.called() if not body["device"].endswith(".service")]
    times = collections.Counter((host, device) for host, device, _when in called)
    assert set(times) == set(sent), (sorted(set(sent) - set(times)), sorted(set(times) - set(sent)))
    assert max(times.values()) == 1, times.most_common(3)
    delays = sorted(when - sent[host, device] for host, device, when in called)
    told = (
        f"{len(delays)} events called once each: p50 {delays[len(delays) // 2]:.1f} s, p95 {delays[int(len(delays) * 0.95)]:.1f} s, last {delays[-1]:.1f} s\n"
    )
    (ROOT / "reports" / "elk-delays.txt").write_text(told, encoding="utf-8")
    explained = lab.play(ROOT / "playbooks" / "explain.yml", variables={"host": "gpu1", "since": "10min"})
    page = pathlib.Path(re.search(r"Page: (\S+html)", explained.output).group(1))  # type: ignore[union-attr]
    assert page.read_text(encoding="utf-8").count("calls somebody: nvidia_xid") >= each, "its timeline has whom the alerts called"
    page.unlink()
    alerts = lab.sh("mgmt1", "curl -s 'http://localhost:9093/api/v2/alerts?filter=source=logs'").stdout
    assert all(f'"device":"{device}"' in alerts for _host, device in sent), alerts[:500]
    assert '"severity":"critical"' in alerts


_SEND = """
import datetime, json, smtplib, sys
import requests, yaml
import elastalert.alerters.email
from elastalert.loaders import FileRulesLoader

class Answer:
    status_code, text = 200, "{}"
    def raise_for_status(self): pass
    def json(self): return {"errcode": 0, "code": 0}

class Mail:
    def __init__(self, host, port=25, **more): self.host = host
    def has_extn(self, name): return False
    def sendmail(self, sender, to, text): told.append([self.host, {"to": to, "text": text}])
    def ehlo(self): pass
    def quit(self): pass

told = []
requests.post = lambda url, data=None, **more: told.append([url, json.loads(data)]) or Answer()
elastalert.alerters.email.SMTP = Mail
config = yaml.safe_load(open("/etc/gpulab/elastalert/config.yaml"))
config.update({name: datetime.timedelta(**config[name]) for name in ("run_every", "buffer_time", "alert_time_limit")})
loader = FileRulesLoader({**config, "rules_folder": ["/root"], "scan_subdirectories": False})
rule = loader.load_yaml("/root/sinks.yaml")
loader.load_options(rule, config, "/root/sinks.yaml")
loader.load_modules(rule)
signal = {"id": "x", "name": "off the bus", "name_zh": "\u6389\u5361", "severity": "critical", "advice": "Reset it.", "advice_zh": "\u590d\u4f4d\u3002"}
match = {"@timestamp": "2026-11-26T00:00:00Z", "host": {"name": "gpu1"}, "device": {"name": "65:00"}, "message": "Xid 79", "signal": signal}
for alert in rule["alert"]:
    alert.pipeline = {}
    alert.alert([match])
print(json.dumps(told))
"""


def test_robots_and_mail_get_what_somebody_can_act_on(lab: Lab, logs: Logs, tmp_path: pathlib.Path) -> None:
    """Their services are not reached from here; what ElastAlert2 itself would send to each is looked at."""
    role = ROOT / "roles" / "elk"
    task = {"ansible.builtin.template": {"src": f"{role}/templates/rule.yaml.j2", "dest": f"{tmp_path}/rule.yaml", "mode": "0600"}}
    task["vars"] = {"item": "{{ __elk_alert_rules | selectattr('name', 'equalto', 'nvidia_xid_bus') | first }}"}
    files = [f"{role}/defaults/main.yml", f"{role}/vars/main.yml"]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars_files": files, "tasks": [task]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    sinks = {"dingtalk": "token-1", "wecom": "key-2", "feishu": "id-3", "email": ["lab@lab.example"], "smtp": "mail1"}
    more = {"elk_distribution": "opensearch", "elk_servers": ["mgmt1"], "role_path": str(role), "ansible_python_interpreter": sys.executable}
    run = lab.play(tmp_path / "play.yml", variables={**more, "elk_alert_sinks": sinks})
    assert run.rc == 0, run.output
    lab.sh("mgmt1", "cat > /root/sinks.yaml", stdin=(tmp_path / "rule.yaml").read_text(encoding="utf-8"))
    sent = json.loads(lab.sh("mgmt1", "/opt/gpulab/elastalert/bin/python -B -; rm /root/sinks.yaml", stdin=_SEND).stdout)
    text = "gpu1 65:00: off the bus / \u6389\u5361\nReset it.\n\u590d\u4f4d\u3002\nXid 79"
    assert [address for address, _body in sent] == [
        "https://oapi.dingtalk.com/robot/send?access_token=token-1",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-2",
        "https://open.feishu.cn/open-apis/bot/v2/hook/id-3",
        "mail1",
    ]
    (_d, dingtalk), (_w, wecom), (_f, feishu), (_m, mail) = sent
    assert dingtalk["text"]["content"].startswith(text) and wecom["text"]["content"].startswith(text) and feishu["content"]["text"].startswith(text)
    assert mail["to"] == ["lab@lab.example"] and "Subject: gpu1 65:00: off the bus" in mail["text"]


@soak
def test_many_call_and_a_new_address_calls_and_what_is_usual_does_not(lab: Lab, logs: Logs) -> None:
    logs.hook()
    corrected = "pcieport 0000:60:02.0: AER: Corrected error received: 0000:{}:00.0"
    logs.say("gpu1", [corrected.format("a1")] * 20)
    logs.say("gpu1", [corrected.format("a2")] * 120)
    login = "Accepted publickey for root from {} port 50412 ssh2: ED25519 SHA256:abc"
    logs.say("gpu1", [login.format("192.0.2.77"), login.format("192.0.2.77")], program="sshd")
    logs.say("gpu1", [login.format("192.0.2.78").replace("root", "alice")], program="sshd")
    until = time.monotonic() + 180
    while len(logs.called()) < 2 and time.monotonic() < until:
        time.sleep(1)
    time.sleep(10)
    assert sorted((body["signal"], body["device"]) for _when, body in logs.called()) == [("corrected_errors", "a2:00"), ("root_login", "192.0.2.77")]


def test_a_signal_is_tried_on_the_past_before_it_is_switched_on(lab: Lab, logs: Logs, contract: Contract) -> None:
    logs.say("gpu1", [f"flux capacitor of rack r{n % 3} drained" for n in range(9)], program="capacitor")
    assert logs.wait_for(phrase("flux capacitor"), 9) == 9
    own = {**SIGNAL, "id": "flux", "name": "flux", "contains": ["flux capacitor"], "pattern": ["rack %{WORD:device.name} drained"], "leads_to": []}
    own.pop("program", None)
    run = lab.play(ROOT / "playbooks" / "try_signals.yml", check=True, variables={**contract.subject.variables, "since": "1h", "elk_signals": [own]})
    assert run.rc == 0 and "flux: 9 lines on gpu1, 3 calls; the newest: flux capacitor of rack" in run.output, run.output
    assert not logs.lines({"bool": {"filter": [phrase("flux capacitor"), {"exists": {"field": "signal.id"}}]}}), "nothing was marked"


@soak
def test_a_hundred_thousand_ordinary_lines_call_nobody(lab: Lab, logs: Logs) -> None:
    """The look-alikes of all signals, and the lines of the file that GPULAB_ORDINARY_LINES names (BGL of loghub was used), over and over."""
    # what says nothing once, and something when it comes this often, is no ordinary line here
    many = [word for signal in SIGNALS if "frequency" in signal for word in signal["contains"]]
    lines = [((signal.get("program") or ["python"])[0], line) for signal in SIGNALS for line in signal["spares"] if not any(word in line for word in many)]
    if os.environ.get("GPULAB_ORDINARY_LINES"):
        # a first column of "-" says that nothing is wrong, as in the sets of loghub
        told = pathlib.Path(os.environ["GPULAB_ORDINARY_LINES"]).read_text(encoding="utf-8", errors="replace").splitlines()
        lines += [("kernel", line[2:]) for line in told if line.startswith("- ")]
    # before anything was said, every alert that is due has been sent
    time.sleep(10)
    logs.hook()
    number = 100_000
    for begin in range(0, number, 5000):
        rows = []
        for n in range(begin, begin + 5000):
            program, line = lines[n % len(lines)]
            source = {"@timestamp": int(time.time() * 1000), "host": {"name": "gpu1"}, "message": f"{line} (ordinary line {n})"}
            source.update(process={"name": program}, event={"provider": program})
            rows += [json.dumps({"create": {}}), json.dumps(source)]
        command = "curl -sf --cacert /etc/gpulab/elk/ca.pem -u shipper:box-Harbour-8830-sail -H 'Content-Type: application/x-ndjson' --data-binary @-"
        answer = lab.sh("mgmt1", f"{command} https://mgmt1:9200/logs-lab-system/_bulk", stdin="\n".join(rows) + "\n").stdout
        assert '"errors":false' in answer, answer[:300]
    assert logs.wait_for(phrase("ordinary line"), number, 120) == number
    time.sleep(20)
    assert not logs.called(), logs.called()[:3]
    # and it still looks
    (begun,) = logs.say("mgmt1", ["NVRM: Xid (PCI:0000:fd:1f): 79, pid=7, something"])
    until = time.monotonic() + 120
    while not logs.called() and time.monotonic() < until:
        time.sleep(1)
    assert [body["device"] for _when, body in logs.called()] == ["fd:1f"]
    told_text = f"{number} ordinary lines, {len(lines)} different ones: nobody was called; then an event called after {logs.called()[0][0] - begun:.1f} s\n"
    (ROOT / "reports" / "elk-ordinary.txt").write_text(told_text, encoding="utf-8")


# -- what goes


def test_old_lines_go_and_new_ones_stay(lab: Lab, logs: Logs) -> None:
    """By the program and the user that the timer has, with shorter days."""
    lab.sh("gpu1", "echo '2026-11-24 an-old-line' >> /var/log/app/old.log")
    assert logs.wait_for(phrase("an-old-line")) == 1
    keep = "cd /tmp; PYTHONPATH=/usr/local/lib/gpulab /opt/gpulab/elastalert/bin/python -B -m gpulab._logs.programs.maintenance /tmp/keep.json"
    policy = "[{{'streams': 'logs-lab-app', 'days': {days}, 'roll_days': 0}}, {{'streams': 'logs-lab-*', 'days': 30}}]"
    edit = "python3 -c \"import json; c = json.load(open('/etc/gpulab/elastalert/keep.json')); c['retention'] = {}; json.dump(c, open('/tmp/keep.json', 'w'))\""

    def kept(days: float) -> str:
        lab.sh("mgmt1", edit.format(policy.format(days=days)))
        return lab.sh("mgmt1", keep).stderr

    assert "rollover 'logs-lab-app'" in kept(1)
    assert "delete" not in kept(1), "the line is not a day old"
    lab.sh("gpu1", "echo '2026-11-24 a-new-line' >> /var/log/app/old.log")
    assert logs.wait_for(phrase("a-new-line")) == 1
    system = logs.count({"term": {"event.dataset": "system"}})
    assert "delete '.ds-logs-lab-app-000001': its youngest line is" in kept(1e-6)
    assert logs.count(phrase("an-old-line")) == 0
    assert logs.count({"term": {"event.dataset": "system"}}) >= system > 0, "another stream lost lines"
    assert logs.ask("GET", "/_cat/indices/security-auditlog-*?format=json")[1], "log-ins of these days are kept"
    lab.sh("mgmt1", "rm /tmp/keep.json")
    metrics = lab.sh("mgmt1", "cat /var/lib/gpulab/metrics/gpulab_elk.prom").stdout
    assert "gpulab_elk_up 1.0" in metrics and 'gpulab_elk_newest_line_timestamp_seconds{host="gpu1"}' in metrics


# -- what comes back


def test_a_snapshot_is_tried_and_lines_that_are_gone_come_back_from_it(lab: Lab, logs: Logs) -> None:
    def looked() -> str:
        lab.sh("mgmt1", "cd /tmp; PYTHONPATH=/usr/local/lib/gpulab /opt/gpulab/elastalert/bin/python -B -m gpulab._logs.programs.maintenance /tmp/keep.json")
        return lab.sh("mgmt1", "grep -v '^#' /tmp/keep.prom").stdout

    def taken() -> list[dict[str, t.Any]]:
        rows = logs.ask("GET", "/_snapshot/gpulab/_all")[1]["snapshots"]
        return sorted(rows, key=lambda row: float(row["start_time_in_millis"]))

    def settled() -> dict[str, t.Any]:
        until = time.monotonic() + 120
        while (rows := taken()) and rows[-1]["state"] == "IN_PROGRESS" and time.monotonic() < until:
            time.sleep(0.5)
        return rows[-1]

    lab.sh("mgmt1", "systemctl stop gpulab-elk-keep.timer")  # which would do the same meanwhile
    lab.sh("gpu1", "echo '2026-11-24 a-line-to-lose' >> /var/log/app/old.log")
    assert logs.wait_for(phrase("a-line-to-lose")) == 1
    for row in taken():
        assert logs.ask("DELETE", f"/_snapshot/gpulab/{row['snapshot']}")[0] == 200
    edit = "import json; c = json.load(open('/etc/gpulab/elastalert/keep.json')); c.update(state='/tmp/keep.state', textfile='/tmp/keep.prom')"
    lab.sh("mgmt1", f"rm -f /tmp/keep.state; python3 -c \"{edit}; json.dump(c, open('/tmp/keep.json', 'w'))\"")
    try:
        assert "gpulab_elk_restored_timestamp_seconds 0.0" in looked(), "it is begun, and nobody waits for it"
        snapshot = settled()
        assert snapshot["state"] == "SUCCESS"
        assert "gpulab_elk_restored_timestamp_seconds 1" in looked()
        assert logs.ask("GET", "/restored-check/_count")[0] == 404, "what was tried is removed again"
        looked()
        assert len(taken()) == 1, "one a day"

        (index,) = logs.ask("GET", "/_data_stream/logs-lab-app")[1]["data_streams"][0]["indices"][-1:]
        assert logs.ask("DELETE", "/_data_stream/logs-lab-app")[0] == 200 and logs.count(phrase("a-line-to-lose")) == 0
        # as the role's README says it
        asked = {"indices": index["index_name"], "include_aliases": False, "rename_pattern": ".+", "rename_replacement": "restored"}
        path = f"/_snapshot/gpulab/{snapshot['snapshot']}/_restore?wait_for_completion=true"
        assert logs.ask("POST", path, asked)[1]["snapshot"]["shards"]["failed"] == 0
        assert logs.ask("POST", "/restored/_count", {"query": phrase("a-line-to-lose")})[1]["count"] == 1
        assert logs.ask("DELETE", "/restored")[0] == 200

        # what a trial left behind, when the engine stopped meanwhile, goes with the next look
        nowhere = {"settings": {"index.routing.allocation.require._name": "nowhere"}}
        assert logs.ask("PUT", "/restored-check?wait_for_active_shards=0", nowhere)[0] == 200
        assert logs.ask("GET", "/_cluster/health")[1]["status"] == "red"
        looked()
        assert logs.ask("GET", "/restored-check/_count")[0] == 404 and logs.ask("GET", "/_cluster/health")[1]["status"] != "red"

        # one that cannot be brought back is said, and counts as none
        lab.sh("mgmt1", "rm /tmp/keep.state; rm -r /var/lib/gpulab/elk-snapshots/indices/*/0/__*")
        failed = lab.sh(
            "mgmt1",
            "cd /tmp; PYTHONPATH=/usr/local/lib/gpulab /opt/gpulab/elastalert/bin/python -B -m gpulab._logs.programs.maintenance /tmp/keep.json",
            check=False,
        )
        assert failed.returncode == 1 and failed.stderr.strip(), failed
        assert "gpulab_elk_restored_timestamp_seconds 0.0" in lab.sh("mgmt1", "cat /tmp/keep.prom").stdout
    finally:
        lab.sh("mgmt1", "rm -f /tmp/keep.*; systemctl start gpulab-elk-keep.timer")


# -- what is wrong is told before anything is changed

WRONG = [
    ({"elk_distribution": "splunk"}, "elk_distribution is expected to be one of opensearch, elastic, but is 'splunk'"),
    ({"elk_heap_mib": 999999}, "A heap of at most three quarters of the memory is expected on mgmt1"),
    ({"elk_retention": [{"streams": "*", "days": 0}]}, "A day at least is expected in each days of elk_retention, but one has 0"),
    ({"elk_signals": [{**SIGNAL, "pattern": ["%{COLOUR:device.name}"]}]}, "it uses COLOUR, which nobody defines"),
]
ALSO_WRONG = [
    ({"elk_admin_password": ""}, "elk_admin_password is expected to be set to at least 12 characters"),
    ({"elk_shipper_password": "my-shipper-12345"}, "without the user's name, but is not"),
    ({"elk_heap_mib": "much"}, "elk_heap_mib is expected to be a whole number, but is 'much'"),
    ({"elk_retention": [{"streams": "*"}]}, "elk_retention[0].days is expected, but is not given"),
    ({"elk_retension": []}, "is none (is elk_retention meant?)"),
    ({"elk_signals": [{**SIGNAL, "pattern": ["GPU (%{PCI:device.name}"]}]}, "signal own: a grok pattern is expected, but it is none: missing )"),
    ({"elk_signals": [{k: v for k, v in SIGNAL.items() if k != "severity"}]}, "signal own: severity is expected, but not there"),
    ({"elk_signals": [{**SIGNAL, "id": "nvlink"}]}, "signal nvlink: each id is expected once, but this one comes twice"),
    ({"elk_mask": ["password=("]}, "'password=(' is expected to be a regular expression, but it is none"),
    ({"elk_files": [{"dataset": "app"}]}, "elk_files[0].path is expected, but is not given"),
    ({"elk_alert_sinks": {"pager": "x"}}, "elk_alert_sinks is expected to have the keys"),
    (
        {"elk_apt_repository": {"uri": "http://mirror:81/apt", "suite": "box", "components": ["main"], "signed_by": "x"}},
        "the package sources do not answer",
    ),
]


@pytest.mark.parametrize(("variables", "said_with"), [*WRONG, *(pytest.param(*each, marks=soak) for each in ALSO_WRONG)])
def test_what_is_wrong_is_said_first(said: t.Callable[..., str], variables: dict[str, t.Any], said_with: str) -> None:
    assert said_with in said(**variables)


def test_a_python_mirror_that_is_down_is_said_first(lab: Lab, said: t.Callable[..., str]) -> None:
    lab.sh("mgmt1", "mv /opt/gpulab/elastalert /opt/gpulab/away")
    assert "http://mirror:81/simple/elastalert2/ is expected to answer, but" in said(elk_pypi_index="http://mirror:81/simple")
    lab.sh("mgmt1", "mv /opt/gpulab/away /opt/gpulab/elastalert")
