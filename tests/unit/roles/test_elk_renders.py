# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role writes for engines that do not run in our tests: their files are rendered, read as what they are, and held against their documentation.

Sources: https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/security-settings,
https://www.elastic.co/docs/reference/kibana/configuration-reference/general-settings,
https://docs.opensearch.org/2.19/security/configuration/multi-tenancy/
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "elk"
PASSWORDS = {f"elk_{who}_password": f"box-{who[::-1]}-4711-moss" for who in ("admin", "shipper", "viewer", "alerter", "retainer", "dashboards")}
TEMPLATES = ["opensearch.yml", "elasticsearch.yml", "users", "users_roles", "dashboards.yml"]


def rendered(folder: pathlib.Path, **variables: t.Any) -> dict[str, str]:
    told = {"elk_servers": ["mgmt1"], "role_path": str(ROLE), "__elk_usage": {"memory_bytes": 16 << 30, "max_map_count": 65530}, **PASSWORDS, **variables}
    told.update(ansible_python_interpreter=sys.executable, things=["__elk_access", "__elk_users", "__elk_roles", "__elk_unit"])
    tasks = [{"ansible.builtin.template": {"src": f"{ROLE}/templates/{name}.j2", "dest": f"{folder}/{name}", "mode": "0600"}} for name in TEMPLATES]
    tasks.append({"ansible.builtin.copy": {"content": "{{ q('vars', *things) | to_json }}", "dest": f"{folder}/things", "mode": "0600"}})
    files = [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml")]
    play = [{"hosts": "mgmt1", "gather_facts": False, "vars_files": files, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    tool = pathlib.Path(sys.executable).parent / "ansible-playbook"
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GPULAB_REPORTS": str(folder)}
    done = subprocess.run(
        [tool, "-i", "mgmt1,", "-c", "local", "-e", json.dumps(told), folder / "play.yml"], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (folder / name).read_text(encoding="utf-8") for name in [*TEMPLATES, "things"]}


@pytest.fixture(scope="module")
def elastic(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return rendered(tmp_path_factory.mktemp("elastic"), elk_distribution="elastic", elk_servers=["mgmt1", "mgmt2", "mgmt3"])


@pytest.fixture(scope="module")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return rendered(tmp_path_factory.mktemp("opensearch"), elk_distribution="opensearch", elk_dashboards=True)


def test_elasticsearch_speaks_tls_alone_and_finds_its_two_others(elastic: dict[str, str]) -> None:
    told = yaml.safe_load(elastic["elasticsearch.yml"])
    for way in ("http", "transport"):
        assert told[f"xpack.security.{way}.ssl.enabled"] is True
        assert [told[f"xpack.security.{way}.ssl.{part}"] for part in ("certificate", "key")] == ["gpulab/node.pem", "gpulab/node.key"]
    assert told["xpack.security.enabled"] is True and told["xpack.security.enrollment.enabled"] is False
    assert told["discovery.seed_hosts"] == told["cluster.initial_master_nodes"] == ["mgmt1", "mgmt2", "mgmt3"]
    assert told["node.store.allow_mmap"] is False, "the host's kernel allows too few maps"
    assert "discovery.type" not in told and told["path.data"] == "/var/lib/elasticsearch"


def test_its_first_user_has_the_password_of_the_vault(elastic: dict[str, str]) -> None:
    user, _colon, hashed = elastic["users"].strip().partition(":")
    rounds, salt, key = hashed.removeprefix("{PBKDF2}").split("$")
    made = hashlib.pbkdf2_hmac("sha512", PASSWORDS["elk_admin_password"].encode(), base64.b64decode(salt), int(rounds), 32)
    assert (user, rounds, base64.b64decode(key)) == ("admin", "10000", made) and len(base64.b64decode(salt)) == 32
    assert elastic["users_roles"] == "superuser:admin\n"
    assert PASSWORDS["elk_admin_password"] not in elastic["users"]


def test_each_engine_is_asked_as_it_can_be(elastic: dict[str, str], opensearch: dict[str, str]) -> None:
    access, users, roles, unit = json.loads(elastic["things"])
    assert (access["username"], access["password"], access["client_cert"]) == ("admin", PASSWORDS["elk_admin_password"], "")
    assert [user["name"] for user in users] == ["shipper", "viewer", "alerter", "retainer"] and unit == "elasticsearch.service"
    shipper = next(role for role in roles if role["name"] == "gpulab_shipper")
    assert shipper["indices"] == [{"patterns": ["logs-lab-*"], "actions": ["auto_configure", "create_doc"]}]
    access, users, roles, unit = json.loads(opensearch["things"])
    assert (access["username"], access["client_cert"]) == ("", "/etc/gpulab/elk/admin.pem") and unit == "opensearch.service"
    assert [user["name"] for user in users] == ["admin", "shipper", "viewer", "alerter", "retainer", "dashboards"]
    assert users[-1]["roles"] == ["kibana_server"]


def test_dashboards_listen_to_their_own_host_and_trust_the_labs_authority(elastic: dict[str, str], opensearch: dict[str, str]) -> None:
    for told, prefix, folder in ((elastic, "elasticsearch", "/etc/kibana"), (opensearch, "opensearch", "/etc/opensearch-dashboards")):
        page = yaml.safe_load(told["dashboards.yml"])
        assert page["server.host"] == "localhost" and page[f"{prefix}.hosts"] == ["https://localhost:9200"]
        assert page[f"{prefix}.ssl.certificateAuthorities"] == [f"{folder}/ca.pem"] and page[f"{prefix}.ssl.verificationMode"] == "full"
        assert (page[f"{prefix}.username"], page[f"{prefix}.password"]) == ("dashboards", PASSWORDS["elk_dashboards_password"])


def test_saved_objects_refer_to_each_other_and_to_fields_that_lines_have() -> None:
    objects = [json.loads(line) for line in (ROLE / "files" / "dashboards" / "gpulab.ndjson").read_text(encoding="utf-8").splitlines()]
    known = {(each["type"], each["id"]) for each in objects}
    assert {(ref["type"], ref["id"]) for each in objects for ref in each["references"]} <= known and len(known) == len(objects)
    mappings = yaml.safe_load((ROLE / "files" / "mappings.yml").read_text(encoding="utf-8"))["properties"]

    def field(path: str) -> t.Any:
        tree: t.Any = {"properties": mappings}
        for part in path.split("."):
            tree = tree["properties"][part]
        return tree["type"]

    used = {agg["params"]["field"] for each in objects if each["type"] == "visualization" for agg in json.loads(each["attributes"]["visState"])["aggs"][1:]}
    assert {field(name) for name in used} == {"date", "keyword"} and "device.name" in used
