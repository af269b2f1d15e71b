# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alert rules in the real promtool: each fires for its reason alone, and nothing fires in a healthy lab."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from harness import ROOT

PROMETHEUS = ROOT / "roles" / "borg" / "files" / "prometheus"
HOUR, DAY = 60, 24 * 60  # minutes
NOW = "now"  # a time that goes with the clock


@dataclasses.dataclass
class Case:
    """C(series) replaces or adds to those of a healthy lab, None removes one; C(fires) are all alerts at C(at) minutes, read every C(step)."""

    series: dict[str, float | str | None]
    at: int
    fires: set[str]
    step: int = 1


GPU1, STORE = '{client="gpu1"}', '{client="gpu1",instance="store1"}'
HEALTHY: dict[str, float | str | None] = {
    f"gpulab_borg_admin_archive_start_timestamp_seconds{GPU1}": NOW,
    f"gpulab_borg_admin_rpo_seconds{GPU1}": 3600,
    f"gpulab_borg_admin_archives{GPU1}": 80,
    f"gpulab_borg_admin_missing_archives{GPU1}": 0,
    f"gpulab_borg_admin_repository_readable{GPU1}": 1,
    'gpulab_borg_admin_lost_objects{client="gpu1",archives="",since=""}': 0,
    'gpulab_borg_admin_incomplete_archives{client="gpu1",archives=""}': 0,
    f"gpulab_borg_admin_damaged_objects{GPU1}": 0,
    f"gpulab_borg_admin_log_readable{GPU1}": 1,
    f"gpulab_borg_admin_first_proof_ratio{GPU1}": 1,
    f"gpulab_borg_admin_proven_timestamp_seconds{GPU1}": NOW,
    f"gpulab_borg_admin_watched_timestamp_seconds{GPU1}": NOW,
    f"gpulab_borg_admin_retained_timestamp_seconds{GPU1}": NOW,
    'gpulab_borg_last_run_succeeded{instance="gpu1"}': 1,
    'gpulab_borg_before_succeeded{instance="gpu1"}': 1,
    'gpulab_borg_job_succeeded{instance="gpu1",task="check"}': 1,
    f"gpulab_borg_offsite_synced_timestamp_seconds{STORE}": NOW,
    f"gpulab_borg_offsite_last_run_succeeded{STORE}": 1,
    f"gpulab_borg_offsite_withheld_objects{STORE}": 0,
    f"gpulab_borg_offsite_verify_succeeded{STORE}": 1,
    f"gpulab_borg_offsite_verified_timestamp_seconds{STORE}": NOW,
    f"gpulab_borg_server_available_ratio{STORE}": 0.5,
    'gpulab_borg_drill_succeeded{instance="gpu1",kind="sample"}': 1,
    'gpulab_borg_drill_timestamp_seconds{instance="gpu1",kind="sample"}': NOW,
    'gpulab_borg_drill_timestamp_seconds{instance="gpu1",kind="full"}': NOW,
}
START = f"gpulab_borg_admin_archive_start_timestamp_seconds{GPU1}"
SYNCED = f"gpulab_borg_offsite_synced_timestamp_seconds{STORE}"
WATCHED = f"gpulab_borg_admin_watched_timestamp_seconds{GPU1}"
FREE = f"gpulab_borg_server_available_ratio{STORE}"
SAMPLE = 'gpulab_borg_drill_timestamp_seconds{instance="gpu1",kind="sample"}'
FULL = 'gpulab_borg_drill_timestamp_seconds{instance="gpu1",kind="full"}'
LOCK = f"gpulab_borg_stale_lock_timestamp_seconds{STORE}"

LOST = 'gpulab_borg_admin_lost_objects{client="gpu1",archives="gpu1-2026-11-26T19:18:00 and 3 more",since="2026-11-26 19:18 UTC"}'
PROVEN = f"gpulab_borg_admin_proven_timestamp_seconds{GPU1}"

CASES = {
    "healthy": Case({}, 5 * HOUR, set()),
    "50 minutes old": Case({START: 0}, 50, set()),
    "52 minutes old": Case({START: 0}, 52, {"BorgRpoNear"}),
    "61 minutes old": Case({START: 0}, 61, {"BorgRpoPast", "BorgRpoNear"}),
    "61 minutes old where two hours are allowed": Case({START: 0, f"gpulab_borg_admin_rpo_seconds{GPU1}": 7200}, 61, set()),
    "new client": Case({START: None, f"gpulab_borg_admin_archives{GPU1}": 0}, 30, set()),
    "no backup ever": Case({START: None, f"gpulab_borg_admin_archives{GPU1}": 0}, 61, {"BorgNoBackupEver"}),
    "an archive is hidden": Case({'gpulab_borg_admin_missing_archives{client="gpu1",archives="a (now b)"}': 1}, 0, {"BorgArchivesMissing"}),
    "a client deletes objects": Case({LOST: 9}, 0, {"BorgObjectsLost"}),
    "an archive lacks something": Case({'gpulab_borg_admin_incomplete_archives{client="gpu1",archives="a"}': 1}, 0, {"BorgArchivesIncomplete"}),
    "an object is damaged": Case({f"gpulab_borg_admin_damaged_objects{GPU1}": 1}, 0, {"BorgContentDamaged"}),
    "the log is torn": Case({f"gpulab_borg_admin_log_readable{GPU1}": 0}, 0, {"BorgContentDamaged"}),
    "proven yesterday": Case({PROVEN: 0}, 24 * HOUR, set(), HOUR),
    "not proven for long": Case({PROVEN: 0}, 27 * HOUR, {"BorgProofOld"}, HOUR),
    "not proven since objects are lost": Case({PROVEN: 0, LOST: 9}, 27 * HOUR, {"BorgObjectsLost"}, HOUR),
    "first proof runs": Case({f"gpulab_borg_admin_first_proof_ratio{GPU1}": 0.3}, 23 * HOUR, set(), HOUR),
    "first proof takes long": Case({f"gpulab_borg_admin_first_proof_ratio{GPU1}": 0.3}, 25 * HOUR, {"BorgFirstProofRuns"}, HOUR),
    "disk fills within days": Case({FREE: "0.5-0.001x499"}, 4 * HOUR, {"BorgServerDiskFills"}),
    "disk fills within weeks": Case({FREE: "0.5-0.00001x499"}, 8 * HOUR, set()),
    "server away for a moment": Case({f"gpulab_borg_admin_repository_readable{GPU1}": 0}, 20, set()),
    "server away": Case({f"gpulab_borg_admin_repository_readable{GPU1}": 0}, 31, {"BorgRepositoryUnreadable"}),
    "the watch stopped": Case({WATCHED: 0}, 80, {"BorgWatchSilent"}),
    "there is no watch": Case({WATCHED: None}, 16, {"BorgWatchSilent"}),
    "no retention for two days": Case({f"gpulab_borg_admin_retained_timestamp_seconds{GPU1}": 0}, 2 * DAY, set(), HOUR),
    "no retention for four days": Case({f"gpulab_borg_admin_retained_timestamp_seconds{GPU1}": 0}, 4 * DAY, {"BorgRetentionStuck"}, HOUR),
    "one backup failed": Case({'gpulab_borg_last_run_succeeded{instance="gpu1"}': "0x20 1x200"}, 40, set()),
    "backups fail": Case({'gpulab_borg_last_run_succeeded{instance="gpu1"}': 0}, 36, {"BorgBackupFailed"}),
    "a dump failed": Case({'gpulab_borg_before_succeeded{instance="gpu1"}': 0}, 0, {"BorgDumpFailed"}),
    "a check failed": Case({'gpulab_borg_job_succeeded{instance="gpu1",task="check"}': 0}, 0, {"BorgCheckFailed"}),
    "another job failed": Case({'gpulab_borg_job_succeeded{instance="gpu1",task="other"}': 0}, 60, set()),
    "bucket 59 minutes behind": Case({SYNCED: 0}, 59, set()),
    "bucket behind": Case({SYNCED: 0}, 66, {"BorgOffsiteLag"}),
    "first copy runs": Case({SYNCED: None}, 23 * HOUR, set(), HOUR),
    "never copied": Case({SYNCED: None}, 25 * HOUR, {"BorgOffsiteNever"}, HOUR),
    "removals wait": Case({f"gpulab_borg_offsite_withheld_objects{STORE}": 9}, 2 * DAY, set(), HOUR),
    "removals wait long": Case({f"gpulab_borg_offsite_withheld_objects{STORE}": 9}, 3 * DAY + HOUR, {"BorgOffsiteWithheld"}, HOUR),
    "bucket differs": Case({f"gpulab_borg_offsite_verify_succeeded{STORE}": 0}, 0, {"BorgOffsiteDiffers"}),
    "compared a month ago": Case({f"gpulab_borg_offsite_verified_timestamp_seconds{STORE}": 0}, 31 * DAY, set(), 6 * HOUR),
    "compared long ago": Case({f"gpulab_borg_offsite_verified_timestamp_seconds{STORE}": 0}, 41 * DAY, {"BorgOffsiteUnverified"}, 6 * HOUR),
    "a lock was broken": Case({LOCK: 0}, 30, {"BorgStaleLock"}),
    "a lock was broken before": Case({LOCK: 0}, 61, set()),
    "a drill failed": Case({'gpulab_borg_drill_succeeded{instance="gpu1",kind="sample"}': 0}, 0, {"BorgDrillFailed"}),
    "a sample 8 days ago": Case({SAMPLE: 0}, 8 * DAY, set(), HOUR),
    "a sample 10 days ago": Case({SAMPLE: 0}, 10 * DAY, {"BorgDrillOld"}, HOUR),
    "a full drill 10 days ago": Case({FULL: 0}, 10 * DAY, set(), HOUR),
    "a full drill 101 days ago": Case({FULL: 0}, 101 * DAY, {"BorgDrillOld"}, 12 * HOUR),
    "disk 9 % free": Case({FREE: 0.09}, 0, {"BorgServerDisk"}),
    "disk 2 % free": Case({FREE: 0.02}, 0, {"BorgServerDisk", "BorgServerDiskFull"}),
}


GPU = '{gpu="3",instance="gpu1:9100"}'
USED = f"gpulab_gpu_memory_used_bytes{GPU}"
READ = 'gpulab_gpu_reading_timestamp_seconds{instance="gpu1:9100"}'
HEALTHY_GPUS: dict[str, float | str | None] = {
    READ: NOW,
    f"gpulab_gpu_up{GPU}": 1,
    'gpulab_gpu_host_state{instance="gpu1:9100",state="ok"}': 1,
    'gpulab_gpu_host_state{instance="gpu1:9100",state="mismatch"}': 0,
    'gpulab_gpu_host_state{instance="store1:9100",state="no_gpu"}': 1,
    USED: 0.5,
    f"gpulab_gpu_memory_total_bytes{GPU}": 1,
    f"gpulab_gpu_ecc_uncorrected_errors{GPU}": 4,
}


def throttled(reason: str) -> str:
    return f'gpulab_gpu_throttled{{gpu="3",instance="gpu1:9100",reason="{reason}"}}'


GPU_CASES = {
    "healthy": Case({}, 5 * HOUR, set()),
    "lost": Case({f"gpulab_gpu_up{GPU}": 0}, 2, {"GpuLost"}),
    "lost for a moment": Case({f"gpulab_gpu_up{GPU}": "1x3 0x0 1x20"}, 5, set()),
    "driver and library differ": Case({'gpulab_gpu_host_state{instance="gpu1:9100",state="mismatch"}': 1}, 11, {"GpuDriverBroken"}),
    "they differ while somebody upgrades": Case({'gpulab_gpu_host_state{instance="gpu1:9100",state="mismatch"}': 1}, 9, set()),
    "readings stopped": Case({READ: 0}, 7, {"GpuReadingSilent"}),
    "memory full": Case({USED: 0.95}, 16, {"GpuMemoryFull"}),
    "memory at the limit": Case({USED: 0.9}, 60, set()),
    "memory full for a moment": Case({USED: "0.5x20 0.99x6 0.5x40"}, 40, set()),
    "hot": Case({throttled("hw_thermal_slowdown"): 1}, 16, {"GpuHot"}),
    "hot now and then": Case({throttled("sw_thermal_slowdown"): "0x9 1x3 0x9 1x3 0x20"}, 40, set()),
    "at its own power limit": Case({throttled("sw_power_cap"): 1}, 60, set()),
    "power brake": Case({throttled("hw_power_brake_slowdown"): 1}, 3, {"GpuPowerBrake"}),
    "a new ECC error": Case({f"gpulab_gpu_ecc_uncorrected_errors{GPU}": "4x10 5x60"}, 30, {"GpuEccUncorrected"}),
}


LOOKED, KEPT = "gpulab_elk_looked_timestamp_seconds", "gpulab_elk_retained_timestamp_seconds"
LINE = 'gpulab_elk_newest_line_timestamp_seconds{host="gpu1"}'
CERTIFICATE = 'gpulab_elk_certificate_end_timestamp_seconds{url="https://mgmt1:9200"}'
ERRORS = 'gpulab_elk_error_lines{host="gpu1"}'
RESTORED = "gpulab_elk_restored_timestamp_seconds"
CLOCK = 'gpulab_elk_clock_ahead_seconds{host="gpu1"}'
HEALTHY_LOGS: dict[str, float | str | None] = {
    "gpulab_elk_up": 1,
    LOOKED: NOW,
    KEPT: NOW,
    "gpulab_elk_disk_available_ratio": 0.5,
    "gpulab_elk_blocked_indices": 0,
    LINE: NOW,
    CERTIFICATE: 90 * DAY * 60,
    CLOCK: -0.3,
    RESTORED: NOW,
    ERRORS: 3,
}
LOG_CASES = {
    "healthy": Case({}, 5 * HOUR, set()),
    "engine restarts": Case({"gpulab_elk_up": "1x3 0x4 1x40"}, 20, set()),
    "engine away": Case({"gpulab_elk_up": 0}, 12, {"ElkDown"}),
    "the timer stopped": Case({LOOKED: 0}, 25, {"ElkWatchSilent"}),
    "there is no timer": Case({LOOKED: None}, 12, {"ElkWatchSilent"}),
    "disk 16 % free": Case({"gpulab_elk_disk_available_ratio": 0.16}, HOUR, set()),
    "disk 14 % free": Case({"gpulab_elk_disk_available_ratio": 0.14}, 12, {"ElkDiskLow"}),
    "an index is read-only": Case({"gpulab_elk_blocked_indices": 1}, 0, {"ElkReadOnly"}),
    "a host quiet for a while": Case({LINE: 0}, 29, set()),
    "a host silent": Case({LINE: 0}, 31, {"ElkHostSilent"}),
    "certificate ends in 15 days": Case({CERTIFICATE: 15 * DAY * 60}, 30, set()),
    "certificate ends in 13 days": Case({CERTIFICATE: 13 * DAY * 60}, 12, {"ElkCertificateEnds"}),
    "certificate has ended": Case({CERTIFICATE: 0}, 12, {"ElkCertificateEnds"}),
    "a snapshot came back yesterday": Case({RESTORED: 0}, 47 * HOUR, set(), HOUR),
    "none came back for two days": Case({RESTORED: 0}, 50 * HOUR, {"ElkSnapshotOld"}, HOUR),
    "errors rise": Case({ERRORS: "10x60 120x60"}, 70, {"ElkErrorsRise"}),
    "errors rise for a moment": Case({ERRORS: "10x60 120x3 10x60"}, 70, set()),
    "many errors all day": Case({ERRORS: 120}, 5 * HOUR, set()),
    "few errors after none": Case({ERRORS: "0x60 90x60"}, 70, set()),
    "a clock 4 s ahead": Case({CLOCK: 4}, 30, set()),
    "a clock 6 s behind": Case({CLOCK: -6}, 7, {"ElkClockOff"}),
    "retention stuck": Case({KEPT: 0}, 121, {"ElkRetentionStuck"}),
}


HARBOR, CACHE = "gpulab_harbor_looked_timestamp_seconds", '{instance="gpu1"}'
HARBOR_END, COLLECTED = "gpulab_harbor_certificate_end_timestamp_seconds", "gpulab_harbor_collected_timestamp_seconds"
CACHE_LOOKED = f"gpulab_harbor_cache_looked_timestamp_seconds{CACHE}"
HEALTHY_IMAGES: dict[str, float | str | None] = {
    "gpulab_harbor_up": 1,
    HARBOR: NOW,
    "gpulab_harbor_disk_available_ratio": 0.5,
    HARBOR_END: 90 * DAY * 60,
    COLLECTED: NOW,
    "gpulab_harbor_damaged": 0,
    "gpulab_harbor_verified_timestamp_seconds": NOW,
    f"gpulab_harbor_cache_up{CACHE}": 1,
    CACHE_LOOKED: NOW,
    f"gpulab_harbor_cache_longest_wait_seconds{CACHE}": 0,
    f"gpulab_harbor_cache_disk_available_ratio{CACHE}": 0.5,
}
IMAGE_CASES = {
    "healthy": Case({}, 5 * HOUR, set()),
    "registry restarts": Case({"gpulab_harbor_up": "1x3 0x3 1x40"}, 20, set()),
    "registry away": Case({"gpulab_harbor_up": 0}, 7, {"HarborDown"}),
    "its timer stopped": Case({HARBOR: 0}, 25, {"HarborWatchSilent"}),
    "there is no timer": Case({HARBOR: None}, 12, {"HarborWatchSilent"}),
    "disk 11 % free": Case({"gpulab_harbor_disk_available_ratio": 0.11}, HOUR, set()),
    "disk 9 % free": Case({"gpulab_harbor_disk_available_ratio": 0.09}, 12, {"HarborDiskLow"}),
    "certificate ends in 15 days": Case({HARBOR_END: 15 * DAY * 60}, 30, set()),
    "certificate ends in 13 days": Case({HARBOR_END: 13 * DAY * 60}, 12, {"HarborCertificateEnds"}),
    "space was never given back": Case({COLLECTED: None}, 5 * HOUR, set()),
    "space given back two weeks ago": Case({COLLECTED: 0}, 14 * DAY, set(), HOUR),
    "space not given back": Case({COLLECTED: 0}, 16 * DAY, {"HarborCollectOld"}, HOUR),
    "a layer is damaged": Case({"gpulab_harbor_damaged": 1}, 7, {"HarborDamaged"}),
    "all images read two months ago": Case({"gpulab_harbor_verified_timestamp_seconds": 0}, 69 * DAY, set(), HOUR),
    "images not read": Case({"gpulab_harbor_verified_timestamp_seconds": 0}, 71 * DAY, {"HarborVerifyOld"}, HOUR),
    "a cache gets nothing": Case({f"gpulab_harbor_cache_up{CACHE}": 0}, 12, {"HarborCacheDown"}),
    "a cache is silent": Case({CACHE_LOOKED: 0}, 75, {"HarborCacheSilent"}),
    "an image waits for the night": Case({f"gpulab_harbor_cache_longest_wait_seconds{CACHE}": 20 * 3600}, HOUR, set()),
    "an image is late": Case({f"gpulab_harbor_cache_longest_wait_seconds{CACHE}": 3 * 86400}, 12, {"HarborImageLate"}),
    "a cache has 6 % free": Case({f"gpulab_harbor_cache_disk_available_ratio{CACHE}": 0.06}, 12, {"HarborCacheDiskLow"}),
}


@dataclasses.dataclass
class Pack:
    rules: pathlib.Path
    dashboards: list[pathlib.Path]
    healthy: dict[str, float | str | None]
    cases: dict[str, Case]
    prefix: str
    code: str  # folder of module_utils that writes its metrics

    def alerts(self) -> list[dict[str, t.Any]]:
        return t.cast("list[dict[str, t.Any]]", yaml.safe_load(self.rules.read_text(encoding="utf-8"))["groups"][0]["rules"])


LOGS = ROOT / "roles" / "elk" / "files" / "prometheus"
ROOT_END = 'gpulab_authority_root_end_timestamp_seconds{instance="mgmt1:9100",root="ca"}'
NEXT_END = 'gpulab_authority_root_end_timestamp_seconds{instance="mgmt1:9100",root="ca-2"}'
ROOTS_READ = 'gpulab_authority_reading_timestamp_seconds{instance="mgmt1:9100"}'
HEALTHY_AUTHORITY: dict[str, float | str | None] = {ROOT_END: 3650 * DAY * 60, ROOTS_READ: NOW}
AUTHORITY_CASES = {
    "healthy": Case({}, 5 * HOUR, set()),
    "its only root ends in 61 days": Case({ROOT_END: 61 * DAY * 60}, 30, set()),
    "its only root ends in 59 days": Case({ROOT_END: 59 * DAY * 60}, 30, {"AuthorityEnds"}),
    "its first root ends, and there is a second": Case({ROOT_END: 9 * DAY * 60, NEXT_END: 3650 * DAY * 60}, 30, set()),
    "readings stopped": Case({ROOTS_READ: 0}, 140, {"AuthoritySilent"}),
    "a reading was late": Case({ROOTS_READ: 0}, 110, set()),
}

AUTHORITY = ROOT / "roles" / "authority" / "files" / "prometheus"
IMAGES = ROOT / "roles" / "harbor" / "files" / "prometheus"
GPUS = ROOT / "roles" / "gpu_node" / "files" / "prometheus"
PACKS = [
    Pack(
        AUTHORITY / "authority.rules.yml",
        [AUTHORITY / "authority.dashboard.json"],
        HEALTHY_AUTHORITY,
        AUTHORITY_CASES,
        "gpulab_authority_",
        "_authority",
    ),
    Pack(PROMETHEUS / "borg.rules.yml", [PROMETHEUS / "borg.dashboard.json"], HEALTHY, CASES, "gpulab_borg_", "_borg"),
    Pack(
        GPUS / "gpu_node.rules.yml",
        [GPUS / "gpu_node.dashboard.json", ROOT / "roles" / "monitoring" / "files" / "roadmap.dashboard.json"],
        HEALTHY_GPUS,
        GPU_CASES,
        "gpulab_gpu_",
        "_gpu",
    ),
    Pack(LOGS / "elk.rules.yml", [LOGS / "elk.dashboard.json"], HEALTHY_LOGS, LOG_CASES, "gpulab_elk_", "_logs"),
    Pack(IMAGES / "harbor.rules.yml", [IMAGES / "harbor.dashboard.json"], HEALTHY_IMAGES, IMAGE_CASES, "gpulab_harbor_", "_images"),
]
each_pack = pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.code)


@pytest.fixture(scope="module")
def tools() -> pathlib.Path:
    found = subprocess.run([sys.executable, str(ROOT / "molecule" / "box" / "box.py"), "promtool"], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(found.stdout.strip())


def values(value: float | str, case: Case) -> str:
    steps = case.at // case.step + 2
    if value == NOW:
        return f"0+{case.step * 60}x{steps}"
    return value if isinstance(value, str) else f"{value}x{steps}"


@each_pack
def test_every_alert_fires_for_its_reason_alone(pack: Pack, tools: pathlib.Path, tmp_path: pathlib.Path) -> None:
    groups: dict[int, list[t.Any]] = {}
    for name, case in pack.cases.items():
        series = {k: v for k, v in {**pack.healthy, **case.series}.items() if v is not None}
        samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(case.fires)]
        expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
        check = {"expr": expression, "eval_time": f"{case.at}m", "exp_samples": samples}
        given = [{"series": k, "values": values(v, case)} for k, v in series.items()]
        groups.setdefault(case.step, []).append({"name": name, "interval": f"{case.step}m", "input_series": given, "promql_expr_test": [check]})
    for step, tests in groups.items():
        text = yaml.safe_dump({"rule_files": [str(pack.rules)], "evaluation_interval": f"{step}m", "tests": tests})
        (tmp_path / f"{step}.yml").write_text(text, encoding="utf-8")
    done = subprocess.run([tools / "promtool", "test", "rules", *tmp_path.glob("*.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {rule["alert"] for rule in pack.alerts()} == {alert for case in pack.cases.values() for alert in case.fires}


@each_pack
def test_alerts_say_what_to_do_in_two_languages(pack: Pack) -> None:
    for rule in pack.alerts():
        told = rule["annotations"]
        assert set(told) == {"summary", "summary_zh", "action", "action_zh"} and rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert all(re.search(r"[\u4e00-\u9fff]", told[key]) for key in ("summary_zh", "action_zh")), rule["alert"]


@each_pack
def test_rules_and_dashboards_use_metrics_that_exist(pack: Pack, tools: pathlib.Path, tmp_path: pathlib.Path) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / "module_utils" / pack.code).rglob("*.py"))
    names = re.findall(r'gauge\("(\w+)"', code)
    written = {f"{pack.prefix}{name}" for name in names} | {f"{pack.prefix}admin_{name}" for name in names}
    written |= set(re.findall(rf'"({pack.prefix}\w+)"', code))

    def metrics_in(text: str) -> set[str]:
        return set(re.findall(rf"{pack.prefix}\w+", text))

    boards = [json.loads(path.read_text(encoding="utf-8")) for path in pack.dashboards]
    asked = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    assert asked and all(panel["targets"] for board in boards for panel in board["panels"]), "a panel without a query shows nothing"
    for text in [rule["expr"] for rule in pack.alerts()] + [expr for expr in asked if not expr.startswith("vector(")]:
        assert metrics_in(text) and metrics_in(text) <= written, metrics_in(text) - written
    (tmp_path / "panels.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "panels", "rules": [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(asked)]}]}), encoding="ascii"
    )
    subprocess.run([tools / "promtool", "check", "rules", tmp_path / "panels.yml"], check=True, capture_output=True)


def test_the_example_route_is_one(tools: pathlib.Path) -> None:
    example = PROMETHEUS / "alertmanager.example.yml"
    subprocess.run([tools / "amtool", "check-config", example], check=True, capture_output=True)
    for labels, receiver in ((["alertname=BorgRpoPast", "severity=critical"], "lab-now"), (["alertname=BorgStaleLock", "severity=warning"], "lab")):
        argv = [tools / "amtool", "config", "routes", "test", f"--config.file={example}", *labels]
        assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip() == receiver
