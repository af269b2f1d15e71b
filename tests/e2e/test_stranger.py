# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stranger does: the README's commands in order, then the collection as it is built and installed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from harness import commits  # noqa: E402

CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]  # as molecule/box/box.py names it
PREFIX = f"gpulab-e2e-{CHECKOUT}"
ENV = {
    **{k: v for k, v in os.environ.items() if k != "MAKEFLAGS"},
    "BOX_PREFIX": "gpulab-e2e",
    "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    "ANSIBLE_NOCOLOR": "1",
}


def sh(command: str, cwd: pathlib.Path = ROOT, **more: str) -> tuple[str, float]:
    started = time.monotonic()
    done = subprocess.run(["bash", "-ec", command], cwd=cwd, env={**ENV, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout, time.monotonic() - started


def changed(output: str) -> int:
    counts = [int(n) for n in re.findall(r"changed=(\d+)", output)]
    assert counts, output
    return sum(counts)


@pytest.fixture(scope="module", autouse=True)
def box() -> t.Iterator[None]:
    sh("python molecule/box/box.py down")
    yield
    sh("python molecule/box/box.py down")


def commands(readme: str) -> list[str]:
    """Lines of the README's sh blocks, as they stand; both languages must tell the same commands."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.S)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_both_readmes_tell_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md") and len(commands("README.md")) >= 6


@pytest.fixture(scope="module")
def told() -> dict[int, tuple[str, str, float]]:
    """Each command of the README, run in order: its text, output and seconds."""
    lines = [c for c in commands("README.md") if c not in ("make test", "make box-down")]
    return {number: (line, *sh(line)) for number, line in enumerate(lines)}


def test_commands_of_the_readme(told: dict[int, tuple[str, str, float]]) -> None:
    first, second = (out for line, out, _s in told.values() if line == "make phase1")
    assert changed(first) > 0 and "Report: " in first
    assert changed(second) == 0 and "Nothing changed." in second
    report = pathlib.Path(re.search(r"Report: (\S+)", second).group(1))  # type: ignore[union-attr]
    text = report.read_text(encoding="utf-8")
    assert "| gpu_node | deployed and verified on gpu1, gpu2 |" in text and "| borg | deployed and verified on gpu1, gpu2, mgmt1, store1 |" in text
    assert "| harbor | deployed and verified on store1, gpu1, gpu2 |" in text and "| monitoring | deployed and verified on mgmt1 |" in text
    assert "| authority | deployed and verified on mgmt1 |" in text
    assert report.with_suffix(".json").exists()
    accepted = json.loads((ROOT / "inventories/box/requests/accepted/2026-11-backups.json").read_text(encoding="utf-8"))
    assert accepted["module"] == "borg" and {v["host"] for v in accepted["verified"]} >= {"gpu1", "gpu2", "mgmt1", "store1"}
    assert {v["verdict"] for v in accepted["verified"]} <= {"ok", "pending"}
    (audit,) = (out for line, out, _s in told.values() if line == "make audit")
    assert changed(audit) == 0 and "What is deployed is as declared." in audit
    assert pathlib.Path(re.search(r"Audit: (\S+)", audit).group(1)).stat().st_size > 10_000  # type: ignore[union-attr]
    document = json.loads(pathlib.Path(re.search(r"Audit: (\S+)", audit).group(1)).with_suffix(".json").read_text(encoding="utf-8"))  # type: ignore[union-attr]
    assert document["prometheus"]["state"] == "ok" and document["horizontal"]
    known = {entry["evidence"]: {r["source"]: r.get("value") for r in entry["readings"]} for entry in document["evidence"]}
    assert known["concurrent_tasks"]["prometheus"] == known["concurrent_tasks"]["host"] > 0 and known["log_cores"]["host"]
    (dry,) = (out for line, out, _s in told.values() if "--check --diff" in line)
    assert changed(dry) == 0 and "Nothing would change." in dry


def test_installed_collection(told: dict[int, tuple[str, str, float]], tmp_path: pathlib.Path) -> None:
    """Built, installed, and run by its full name from somewhere else, it finds the same lab converged; by ssh as well, which labs use."""
    empty = tmp_path / "ansible.cfg"
    empty.write_text("", encoding="ascii")
    sh(f"ansible-galaxy collection build --output-path {tmp_path} .")
    (archive,) = tmp_path.glob("*.tar.gz")
    sh(f"ansible-galaxy collection install --no-deps --offline -p {tmp_path}/collections {archive}", cwd=tmp_path, ANSIBLE_CONFIG=str(empty))
    installed = tmp_path / "collections" / "ansible_collections" / "gpulab" / "expansion"
    assert not (installed / "tests").exists() and not (installed / "molecule").exists() and (installed / "roles" / "borg").is_dir()
    for name in ("crypto", "docker", "library_inventory_filtering_v1"):
        shutil.copytree(ROOT / ".collections/ansible_collections/community" / name, tmp_path / "collections/ansible_collections/community" / name)
    environment = {
        "ANSIBLE_CONFIG": str(empty),
        "ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}/collections",
        "ANSIBLE_CALLBACKS_ENABLED": "gpulab.expansion.run_record",
        "ANSIBLE_PIPELINING": "1",
    }
    host = f"{PREFIX}-store1"
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {tmp_path}/key")
    sh(f"docker exec -i {host} sh -c 'mkdir -p -m 700 /root/.ssh && cat > /root/.ssh/authorized_keys' < {tmp_path}/key.pub")
    address = sh(f"docker inspect -f '{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}}{{{{end}}}}' {host}")[0].strip()
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    variables = {"ansible_connection": "ssh", "ansible_host": address, "ansible_user": "root", "ansible_ssh_private_key_file": f"{tmp_path}/key"}
    inventory = {"borg_server": {"hosts": {"store1": {**variables, "ansible_ssh_common_args": options}}}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="ascii")
    output, _seconds = sh(f"ansible-playbook gpulab.expansion.phase1 -i {ROOT}/inventories/box -i {tmp_path}/hosts.json", cwd=tmp_path, **environment)
    assert changed(output) == 0 and "Nothing changed." in output
    assert "Accepted publickey for root" in sh(f"docker exec {host} journalctl -u ssh --no-pager")[0]


def scripts(name: str) -> dict[str, str]:
    """What the jobs of an example for a pipeline run, by job."""
    data = yaml.safe_load((ROOT / "docs" / "ci" / name).read_text(encoding="utf-8"))
    if "jobs" in data:
        return {job: "\n".join(step["run"] for step in spec["steps"] if "run" in step) for job, spec in data["jobs"].items()}
    return {job: "\n".join(spec["script"]) for job, spec in data.items() if isinstance(spec, dict) and "script" in spec}


def test_the_examples_for_pipelines_run(told: dict[int, tuple[str, str, float]], tmp_path: pathlib.Path) -> None:
    gitlab, github = scripts("gitlab-ci.yml"), scripts("github-actions.yml")
    assert gitlab == github and set(gitlab) == {"dry_run", "deploy", "audit"}
    environment = {
        "INVENTORY": "inventories/box",
        "ANSIBLE_CALLBACKS_ENABLED": "gpulab.expansion.run_record,gpulab.expansion.audit_report",
        "GPULAB_REPORTS": str(tmp_path),
    }
    jobs = sorted(gitlab)
    for job in jobs if os.environ.get("SOAK") else [jobs[commits() % len(jobs)]]:
        output, _seconds = sh(gitlab[job], **environment)
        assert changed(output) == 0, job
        reports = {"audit": ["audit-2*.html", "audit-2*.json", "audit-2*.xml"], "dry_run": ["phase1-check-*.md"], "deploy": ["phase1-apply-*.md"]}
        for name in reports[job]:
            assert len(list(tmp_path.glob(name))) == 1, (job, name)


def test_empty_group_and_closed_gate_are_told(told: dict[int, tuple[str, str, float]], tmp_path: pathlib.Path) -> None:
    (tmp_path / "hosts.yml").write_text("gpu_nodes: {hosts: {gpu1: }}\n", encoding="ascii")
    inventory = f"-i {tmp_path}/hosts.yml -i inventories/box/names.yml"
    output, _seconds = sh(f"ansible-playbook {inventory} phase1.yml --check --tags gpu_node,borg", BOX_CHECKOUT=CHECKOUT)
    assert "borg: skipped: the group borg_clients is empty" in output and "harbor: left out: --tags borg,gpu_node" in output
    closed = subprocess.run(
        ["ansible-playbook", "-i", "inventories/box", "phase1.yml", "--check", "-e", '{"lab_preconditions": {}}'],
        cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert closed.returncode != 0 and "set object_storage: true in lab_preconditions" in closed.stdout
    assert "gpu_node: checked on gpu1, gpu2" in closed.stdout


def test_what_nobody_approved_is_not_deployed(told: dict[int, tuple[str, str, float]], tmp_path: pathlib.Path) -> None:
    """A dry run may always; the run itself stops that module, and that one alone, before anything is changed."""
    request = yaml.safe_load((ROOT / "inventories/box/requests/2026-11-backups.yml").read_text(encoding="utf-8"))
    del request["approval"]
    (tmp_path / "backups.yml").write_text(yaml.safe_dump(request), encoding="utf-8")
    command = f"ansible-playbook -i inventories/box phase1.yml --tags gpu_node,borg -e lab_requests={tmp_path}"
    assert "borg: checked on gpu1, gpu2, mgmt1, store1" in sh(f"{command} --check")[0]
    stopped = subprocess.run(["bash", "-ec", command], cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert stopped.returncode != 0 and "borg: stopped by its gate: borg is expected to have an approved request, but backups.yml is reviewed" in stopped.stdout
    assert "gpu_node: deployed and verified on gpu1, gpu2" in stopped.stdout and not (tmp_path / "accepted").exists()


def test_the_authority_comes_back_from_a_backup(told: dict[int, tuple[str, str, float]]) -> None:
    """What its README says: a lost one is not replaced unasked, and after a restore nothing is issued anew."""
    host, ca = f"{PREFIX}-mgmt1", "/etc/gpulab/ca"
    digests = f"docker exec {host} sh -c 'cd {ca} && find . -type f | sort | xargs sha256sum'"
    before = sh(digests)[0]
    assert "./ca.key" in before and "./issued/elk-admin.pem" in before
    sh(f"docker exec {host} systemctl start gpulab-borg.service")
    sh(f"docker exec {host} rm -r {ca}")
    command = ["ansible-playbook", "-i", "inventories/box", "phase1.yml", "--tags", "harbor"]
    stopped = subprocess.run(command, cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert stopped.returncode != 0 and f"restore {ca} from a backup with restore.yml" in stopped.stdout
    readme = (ROOT / "roles" / "authority" / "README.md").read_text(encoding="utf-8")
    (restore,) = (line for line in readme.splitlines() if "gpulab.expansion.restore" in line)
    sh(restore.replace("inventories/yours", "inventories/box"))
    assert sh(digests)[0] == before
    assert changed(sh("ansible-playbook -i inventories/box phase1.yml --tags elk,harbor")[0]) == 0


# As people call the plays: the environment before it, the words after, and the sentence if it cannot be done.
CALLS: list[tuple[dict[str, str], str, str]] = [
    ({}, "phase1.yml --limit gpu1 --tags gpu_node", ""),
    ({}, "phase1.yml --limit gpu2 --tags gpu_node,borg", "store1 is expected in this run, because clients and admin host trust what it tells of itself"),
    ({}, "phase1.yml --limit gpu1,store1 --tags borg", ""),
    ({}, "phase1.yml --limit store1,mgmt1 --tags borg", ""),
    ({}, "phase1.yml --limit gpu1 --tags elk", "mgmt1 is expected in this run, because every host trusts what is signed there"),
    ({}, "phase1.yml --limit gpu1,mgmt1 --tags elk", ""),
    ({}, "phase1.yml --limit gpu2 --tags harbor", "is expected in this run, because every node trusts what is signed there, but is left out"),
    ({}, "phase1.yml --limit gpu1,store1,mgmt1 --tags harbor", ""),
    ({}, "phase1.yml --limit !store1 --tags gpu_node,monitoring", ""),
    ({}, "phase1.yml --skip-tags elk,borg,harbor", ""),
    ({}, "phase1.yml --tags no_such_tag", ""),
    ({}, "phase1.yml --limit no_such_host", "Could not match supplied host pattern"),
    ({}, "phase1.yml --forks 1 --tags gpu_node,borg", ""),
    ({"ANSIBLE_STRATEGY": "free"}, "phase1.yml", ""),
    ({"ANSIBLE_STRATEGY": "host_pinned"}, "phase1.yml --tags harbor", ""),
    ({}, "phase1.yml --start-at-task Back?up", "borg: its gate is expected to be judged in this run before anything else"),
    ({}, "phase1.yml --start-at-task Ship?the?logs", "elk: its gate is expected to be judged in this run before anything else"),
    ({}, 'phase1.yml --tags harbor,monitoring -e {"lab_preconditions":{}}', "set storage_node: true in lab_preconditions"),
    ({}, "playbooks/borg.yml", ""),
    ({}, "playbooks/authority.yml", ""),
    ({}, "playbooks/elk.yml --limit elk", ""),
    ({}, "playbooks/gpu_node.yml -e gpu_node_metrics_interval=often", "gpu_node_metrics_interval"),
]
RAW = re.compile(r"has no attribute|is undefined|Traceback|object of type|HostVars|NoneType|KeyError|unsupported operand|finalize")


@pytest.mark.parametrize("check", [True, False], ids=["dry", "real"])
def test_each_call_does_its_part_or_says_what_it_needs(told: dict[int, tuple[str, str, float]], check: bool) -> None:
    for number, (more, words, sentence) in enumerate(CALLS):
        if number != commits() % len(CALLS) and not os.environ.get("SOAK"):
            continue
        playbook, *options = words.split()
        argv = ["ansible-playbook", "-i", "inventories/box", playbook, *options, *(["--check"] if check else [])]
        done = subprocess.run(argv, cwd=ROOT, env={**ENV, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = " ".join((done.stdout + done.stderr).split())
        assert not RAW.search(said), (words, RAW.search(said), said[-3000:])
        assert bool(done.returncode) == bool(sentence) and sentence in said, (words, said[-3000:])
        assert not re.search(r"changed=[1-9]", said), (words, said[-3000:])


def asked(question: str) -> t.Any:
    """What the box's Prometheus answers on C(question)."""
    return json.loads(sh(f"docker exec {PREFIX}-mgmt1 curl -sf 'http://localhost:9090/api/v1/{question}'")[0])["data"]


def test_the_prometheus_of_the_lab_watches_all_modules(told: dict[int, tuple[str, str, float]]) -> None:
    assert {t["labels"]["instance"]: t["health"] for t in asked("targets")["activeTargets"]} == {f"{h}:9100": "up" for h in ("gpu1", "gpu2", "mgmt1", "store1")}
    groups = {group["name"] for group in asked("rules")["groups"]}
    assert groups >= {"gpulab-authority", "gpulab-gpu", "gpulab-elk", "gpulab-borg", "gpulab-harbor"}, groups
    for metric in (
        "gpulab_gpu_up",
        "gpulab_authority_root_end_timestamp_seconds",
        "gpulab_elk_newest_line_timestamp_seconds",
        "gpulab_borg_admin_archive_start_timestamp_seconds",
    ):
        assert asked(f"query?query={metric}")["result"], metric
    assert [one["url"] for one in asked("alertmanagers")["activeAlertmanagers"]] == ["http://localhost:9093/api/v2/alerts"]


def test_the_page_about_dry_runs_shows_what_they_print(told: dict[int, tuple[str, str, float]]) -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    assert spec and spec.loader
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    english, chinese = (page.read_text(encoding="utf-8") for page in render.PAGES)
    assert render.BLOCK.findall(english) == render.BLOCK.findall(chinese) and len(render.commands(english)) >= 8
    outputs = [render.run(command, ENV) for command in render.commands(english)]
    assert render.stable(render.filled(english, outputs)) == render.stable(english), "run `make docs`"


def test_box_comes_up_from_a_half_dead_state() -> None:
    prefix = PREFIX
    sh(f"docker kill {prefix}-gpu1; docker rm -f {prefix}-mgmt1 {prefix}-mirror; docker stop {prefix}-store1")
    sh("python molecule/box/box.py up")
    assert sh(f"docker exec {prefix}-gpu1 systemctl is-system-running")[0].strip() == "running"
    assert sh(f"docker ps -q --filter label=gpulab.box={prefix} | wc -l")[0].strip() == "6"
    sh("python molecule/box/box.py down")
    assert sh(f"docker ps -aq --filter label=gpulab.box={prefix} | wc -l")[0].strip() == "0"
    assert sh(f"docker network ls -q --filter label=gpulab.box={prefix} | wc -l")[0].strip() == "0"
