# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role writes for Harbor, which does not run in our tests: rendered, read as what it is, and held against its installer's template.

Source of the names: https://goharbor.io/docs/2.14.0/install-config/configure-yml-file/
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "harbor"
SECRETS = {
    "harbor_admin_password": 'box-"Lantern"-3391: #oak',
    "harbor_puller_password": "box-Marble-7715-fern",
    "harbor_database_password": "box-Cellar-5523-pine",
    "harbor_object_storage_secret": "box-Bucket-9917-reed",
}
# What its template has at the top, and what is asked for without a default.
KNOWN = {
    *(
        "hostname",
        "http",
        "https",
        "external_url",
        "harbor_admin_password",
        "database",
        "data_volume",
        "storage_service",
        "trivy",
        "jobservice",
        "notification",
    ),
    *("log", "_version", "external_database", "external_redis", "uaa", "proxy", "metric", "trace", "upload_purging", "cache", "core", "quota"),
}
PROJECTS = [{"name": "vision", "storage_limit": "500 GiB", "immutable": ["release-*"], "keep": 10}, {"name": "base", "public": True}]


def rendered(folder: pathlib.Path, **variables: t.Any) -> dict[str, str]:
    told = {"harbor_flavour": "harbor", "harbor_server": "store1", "harbor_authority": "store1", "harbor_clients": [], "harbor_projects": PROJECTS}
    rows = ["__harbor_project_rows", "__harbor_member_rows", "__harbor_immutable_rows", "__harbor_retention_rows", "__harbor_url"]
    told.update(ansible_python_interpreter=sys.executable, rows=rows, **SECRETS)
    names = ["harbor.yml", "serve.json", "gpulab-harbor.service"]
    tasks = [{"ansible.builtin.template": {"src": f"{ROLE}/templates/{name}.j2", "dest": f"{folder}/{name}", "mode": "0600"}} for name in names]
    tasks.append({"ansible.builtin.copy": {"content": "{{ q('vars', *rows) | to_json }}", "dest": f"{folder}/rows", "mode": "0600"}})
    files = [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml")]
    play = [{"hosts": "store1", "gather_facts": False, "vars_files": files, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    tool = pathlib.Path(sys.executable).parent / "ansible-playbook"
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GPULAB_REPORTS": str(folder)}
    extra = json.dumps({**told, **variables})
    done = subprocess.run(
        [tool, "-i", "store1,", "-c", "local", "-e", extra, folder / "play.yml"], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (folder / name).read_text(encoding="utf-8") for name in [*names, "rows"]}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return rendered(tmp_path_factory.mktemp("plain"))


def test_harbor_speaks_tls_alone_and_keeps_what_it_has_on_its_own_disk(plain: dict[str, str]) -> None:
    told = yaml.safe_load(plain["harbor.yml"])
    assert set(told) <= KNOWN and "http" not in told
    assert told["https"] == {"port": 443, "certificate": "/etc/gpulab/registry/server.pem", "private_key": "/etc/gpulab/registry/server.key"}
    assert told["harbor_admin_password"] == SECRETS["harbor_admin_password"], "whatever is in it"
    assert (told["hostname"], told["data_volume"], told["_version"]) == ("store1", "/data/harbor", "2.16.0")
    assert told["database"]["password"] == SECRETS["harbor_database_password"] and "external_database" not in told
    assert told["metric"]["enabled"] and told["log"]["local"]["rotate_count"] == 50
    assert not {"external_redis", "storage_service", "trivy"} & set(told)


def test_a_database_a_redis_and_a_bucket_of_ones_own(tmp_path: pathlib.Path) -> None:
    bucket = {"bucket": "images", "access_key_id": "key", "endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "region": "oss-cn-hangzhou"}
    told = yaml.safe_load(
        rendered(
            tmp_path,
            harbor_external_database={"host": "db1", "username": "harbor"},
            harbor_external_redis={"host": "redis1:6379"},
            harbor_object_storage=bucket,
            harbor_scanner=True,
            harbor_version="2.14.3",
        )["harbor.yml"]
    )
    assert set(told) <= KNOWN and "database" not in told and told["_version"] == "2.14.0" and "trivy" in told
    own = told["external_database"]["harbor"]
    assert (own["host"], own["db_name"], own["password"], own["ssl_mode"]) == ("db1", "registry", SECRETS["harbor_database_password"], "verify-full")
    assert told["external_redis"]["host"] == "redis1:6379"
    assert told["storage_service"]["s3"]["bucket"] == "images" and told["storage_service"]["s3"]["secretkey"] == SECRETS["harbor_object_storage_secret"]


def test_what_is_kept_in_it(plain: dict[str, str]) -> None:
    projects, members, immutable, retention, url = json.loads(plain["rows"])
    assert projects == [{"name": "vision", "public": False, "storage_limit": "500 GiB"}, {"name": "base", "public": True, "storage_limit": "-1"}]
    assert members == [{"project": name, "username": "puller", "role": "limited_guest"} for name in ("vision", "base")]
    assert immutable == [{"project": "vision", "tags": "release-*"}]
    assert retention == [{"project": "vision", "rules": [{"keep": "latest_pushed", "number": 10}, {"keep": "always", "tags": "release-*"}]}]
    assert url == "https://store1"


def test_its_program_is_told_where_all_is_and_no_secret(plain: dict[str, str]) -> None:
    told = json.loads(plain["serve.json"])
    assert told["version"] == "2.16.0" and told["config"] == "/etc/gpulab/harbor/harbor.yml" and told["installer"].endswith("harbor-2.16.0.tgz")
    assert not any(secret in plain["serve.json"] + plain["gpulab-harbor.service"] for secret in SECRETS.values())
