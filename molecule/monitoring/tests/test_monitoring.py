# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role beside a real Prometheus and a real Alertmanager, which it must leave as they are."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.parse

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from harness import ROOT, Contract, Lab

CONFIG = "/etc/prometheus/prometheus.yml"


def test_contract(contract: Contract) -> None:
    assert not contract.disagreements, "\n".join(map(str, contract.disagreements))


def prometheus(lab: Lab, query: str) -> list[dict[str, t.Any]]:
    url = "http://localhost:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
    found = lab.sh("mgmt1", f"python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())' '{url}'")
    return t.cast("list[dict[str, t.Any]]", json.loads(found.stdout)["data"]["result"])


def value(lab: Lab, metric: str) -> float:
    """Of Prometheus itself, now."""
    found = lab.sh("mgmt1", f"curl -s http://localhost:9090/metrics | grep '^{metric} '", check=False).stdout.split()
    return float(found[1]) if found else 0.0


def eventually(read: t.Callable[[], t.Any], seconds: float = 120) -> t.Any:
    until = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def test_the_gpus_of_a_host_are_seen(watched: Lab) -> None:
    rows = eventually(lambda: prometheus(watched, "gpulab_gpu_memory_used_bytes"))
    assert {row["metric"]["instance"] for row in rows} == {"gpu1:9100"} and len(rows) == 8
    assert eventually(lambda: prometheus(watched, 'up{instance="mgmt1:9100"} == 1'))


def test_what_explain_asks_of_prometheus_is_answered_for_each_gpu(watched: Lab) -> None:
    known = DataLoader().load_from_file(str(ROOT / "roles" / "elk" / "vars" / "main.yml"))
    templates = jinja2.Environment()  # noqa: S701 - a query, no page
    templates.filters.update({"ansible.builtin.regex_escape": re.escape, "to_json": json.dumps})
    instance = templates.from_string(known["__elk_gpu_instance"]).render(elk_explain_host="gpu1")
    hostile = templates.from_string(known["__elk_gpu_instance"]).render(elk_explain_host='x"} or up or up{a!="')
    assert not prometheus(watched, "up" + hostile), "a name is no query"
    for name, asked in known["__elk_gpu_queries"].items():
        query = jinja2.Template(asked["query"]).render(__elk_gpu_instance=instance)
        rows = eventually(lambda query=query: prometheus(watched, query))  # type: ignore[misc]
        assert {row["metric"]["gpu"] for row in rows} == set("01234567") and {row["metric"]["metric"] for row in rows} == {name}, rows
        assert not prometheus(watched, query.replace("gpu1", "gpu11")), "another host's are not taken for its"


def test_a_lost_gpu_reaches_alertmanager(watched: Lab) -> None:
    # the rule waits a minute; its expression, not its patience, is what is tried here
    watched.sh("mgmt1", "sed 's/for: 1m/for: 1s/' /etc/prometheus/rules/gpulab_gpu_node.yml > /etc/prometheus/rules/quick.yml && systemctl reload prometheus")
    # after a reload Prometheus has to find Alertmanager again, and drops for the next minute what fires before
    assert eventually(lambda: value(watched, "prometheus_notifications_alertmanagers_discovered") == 1)
    watched.sh("gpu1", "cp /etc/nvml-sim.conf /tmp/gpus.conf && printf '[3]\\nlost=1\\n' >> /etc/nvml-sim.conf")
    alert = eventually(
        lambda: [
            a
            for a in json.loads(watched.sh("mgmt1", "amtool --alertmanager.url=http://localhost:9093 alert query -o json GpuLost").stdout)
            if a["labels"]["gpu"] == "3"
        ]
    )
    watched.sh("gpu1", "cp /tmp/gpus.conf /etc/nvml-sim.conf")
    watched.sh("mgmt1", "rm /etc/prometheus/rules/quick.yml && systemctl reload prometheus")
    assert alert and alert[0]["labels"]["instance"] == "gpu1:9100"
    assert "Drain the host" in alert[0]["annotations"]["action"] and "掉卡" in alert[0]["annotations"]["summary_zh"]


def test_its_own_configuration_is_left_alone(lab: Lab, contract: Contract) -> None:
    assert "gpulab" not in lab.sh("mgmt1", f"sed /job_name/d {CONFIG}").stdout
    lab.sh("mgmt1", f"promtool check config {CONFIG}")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"monitoring_rules_directory": "/etc/rules"}, "is expected to name /etc/rules/*.yml in rule_files, but names /etc/prometheus/rules: add it there"),
        ({"monitoring_targets_directory": "/etc/targets"}, "whose file_sd_configs name /etc/targets/*.json, but has /etc/prometheus/targets: add it there"),
        ({"monitoring_prometheus_config": "/etc/prom.yml"}, "is expected at /etc/prom.yml on mgmt1, but is not there: install Prometheus first"),
        ({"monitoring_grafana_provisioning": "/etc/grafana/provision"}, "is expected to be the directory that Grafana is provisioned from, but is not"),
        ({"monitoring_exporter_port": "web"}, "monitoring_exporter_port"),
        ({"monitoring_modules": ["gpu_node", "gpu"]}, "Roles of this collection are expected in monitoring_modules, but gpu_node, gpu has one without"),
    ],
)
def test_wrong_inputs(said: t.Callable[..., str], variables: dict[str, t.Any], sentence: str) -> None:
    assert sentence in said(**variables)
