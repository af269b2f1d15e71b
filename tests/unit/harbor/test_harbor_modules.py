# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as Ansible runs them, against the server that answers as Harbor does: what a dry run says is what is then done, and no more is written."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import ipaddress
import json
import pathlib
import ssl
import stat
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpulab.expansion.plugins.module_utils import _json_api
from ansible_collections.gpulab.expansion.plugins.module_utils._harbor import client
from ansible_collections.gpulab.expansion.plugins.module_utils._harbor.projects import size
from ansible_collections.gpulab.expansion.plugins.module_utils._sealed import seal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harbor_server import Harbor, serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MODULES = "ansible_collections.gpulab.expansion.plugins.modules"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class Ran(t.NamedTuple):
    result: dict[str, t.Any]
    wrote: list[tuple[str, str]]

    @property
    def said(self) -> str:
        return str(self.result.get("msg", ""))


@pytest.fixture
def run(harbor: Harbor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Ran]:
    monkeypatch.setattr(client, "AGAIN", 0.0)

    def module(name: str, *objects: dict[str, t.Any], check: bool = False, **access: t.Any) -> Ran:
        args = {"url": harbor.url, "username": "admin", "password": "Harbor12345", "_ansible_check_mode": check, **access}
        args.update({"list": list(objects)} if objects else {})
        before = len(harbor.requests)
        # as the action of the same name gives them
        with patch_module_args(seal(args)), pytest.raises(SystemExit):
            importlib.import_module(f"{MODULES}.{name}").main()
        return Ran(json.loads(capsys.readouterr().out.strip().splitlines()[-1]), [each for each in harbor.requests[before:] if each[0] in WRITES])

    return module


@dataclasses.dataclass
class Life:
    """What becomes of one object: made, changed, changed by somebody else, removed."""

    module: str
    made: dict[str, t.Any]
    changed: dict[str, t.Any]
    confirm: str
    drift: t.Callable[[Harbor], t.Any]


def robot(harbor: Harbor) -> dict[str, t.Any]:
    return next(each for each in harbor.robots.values() if each["name"] == "robot$ml+ci")


HUB = {"name": "hub", "endpoint": "http://127.0.0.1:25000", "insecure": True, "access_key": "lab", "access_secret": "regpass"}
BOB = {"username": "bob", "email": "bob@lab.example", "realname": "Bob", "password": "Passw0rd2"}
HOOK = {"project": "ml", "name": "ci", "address": "https://ci.example/hook", "events": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"]}
TEN = {"project": "ml", "rules": [{"keep": "latest_pushed", "number": 10}, {"keep": "always", "tags": "release-*"}]}
CI = {"name": "ci", "project": "ml", "access": ["repository:pull", "repository:push"], "days": 30}
LIVES = [
    Life(
        "harbor_project",
        {"name": "vision", "public": False, "storage_limit": "50 GiB", "severity": "high"},
        {"name": "vision", "public": True, "storage_limit": "100 GiB", "severity": "high"},
        "vision",
        lambda harbor: harbor._project("vision")["metadata"].update(public="maybe"),
    ),
    Life("harbor_project", {"name": "vision"}, {"name": "vision", "auto_scan": True}, "vision", lambda harbor: harbor._project("vision")["metadata"].clear()),
    Life(
        "harbor_project_member",
        {"project": "ml", "username": "alice", "role": "developer"},
        {"project": "ml", "username": "alice", "role": "maintainer"},
        "ml/alice",
        lambda harbor: next(each for each in harbor.members.values() if each["entity_name"] == "alice").update(role_id=9),
    ),
    Life("harbor_robot", CI, {**CI, "access": ["repository:pull"]}, "ml+ci", lambda harbor: robot(harbor).update(disable=True)),
    Life("harbor_robot", CI, {**CI, "days": -1, "description": "for ever"}, "ml+ci", lambda harbor: robot(harbor)["permissions"][0]["access"].pop()),
    Life(
        "harbor_robot",
        {"name": "fleet", "access": ["repository:pull"], "days": -1},
        {"name": "fleet", "access": ["repository:pull"], "days": -1, "disabled": True},
        "fleet",
        lambda harbor: next(each for each in harbor.robots.values() if each["name"] == "robot$fleet").update(duration=7),
    ),
    Life("harbor_registry_endpoint", HUB, {**HUB, "description": "the hub"}, "hub", lambda harbor: harbor.registries[1].update(url="http://other")),
    Life("harbor_registry_endpoint", HUB, {**HUB, "access_key": "lab2"}, "hub", lambda harbor: harbor.registries[1]["credential"].update(access_key="x")),
    Life(
        "harbor_label",
        {"name": "cuda-12.4", "color": "#0065AB", "description": "CUDA"},
        {"name": "cuda-12.4", "color": "#0065AB", "description": "CUDA 12.4"},
        "cuda-12.4",
        lambda harbor: harbor.labels[1].pop("color"),
    ),
    Life(
        "harbor_label",
        {"name": "sm_89", "project": "ml"},
        {"name": "sm_89", "project": "ml", "color": "#FFFFFF"},
        "ml/sm_89",
        lambda h: h.labels[1].clear() or h.labels[1].update(name="sm_89", scope="p", project_id=2, id=1),
    ),
    Life("harbor_retention", TEN, {**TEN, "cron": "0 30 4 * * 0"}, "ml", lambda harbor: harbor.retentions[1]["rules"].pop()),
    Life(
        "harbor_retention",
        TEN,
        {"project": "ml", "rules": [{"keep": "days_since_pull", "number": 90, "repositories": "train/**", "untagged": False}]},
        "ml",
        lambda harbor: harbor.retentions[1]["rules"][0].update(template="nope"),
    ),
    Life("harbor_user", BOB, {**BOB, "comment": "of vision", "sysadmin": True}, "bob", lambda harbor: harbor.users[4].update(email="x@y")),
    Life("harbor_user", BOB, {**BOB, "password": "Passw0rd3"}, "bob", lambda harbor: harbor.passwords.update(bob="stolen")),
    Life("harbor_webhook", HOOK, {**HOOK, "enabled": False}, "ml/ci", lambda harbor: harbor.webhooks[1]["targets"][0].update(address="https://other")),
    Life(
        "harbor_tag_immutability",
        {"project": "ml", "tags": "release-*"},
        {"project": "ml", "tags": "release-*", "disabled": True},
        "ml/**:release-*",
        lambda harbor: harbor.immutable[1]["rule"].pop("disabled"),
    ),
    Life(
        "harbor_replication_policy",
        {"name": "cuda", "source": "there", "repositories": "nvidia/cuda", "trigger": "scheduled", "cron": "0 0 2 * * *", "namespace": "base"},
        {"name": "cuda", "source": "there", "repositories": "nvidia/cuda", "enabled": False, "speed": 5000, "namespace": "base"},
        "cuda",
        lambda harbor: harbor.policies[1].update(replicate_deletion=True),
    ),
    Life(
        "harbor_replication_policy",
        {"name": "out", "destination": "there", "tags": "release-*", "trigger": "event_based", "deletion": True},
        {"name": "out", "destination": "there", "tags": "release-*", "trigger": "event_based", "override": False},
        "out",
        lambda harbor: harbor.policies[1].update(filters=[{"type": "tag", "value": "*"}]),
    ),
    Life(
        "harbor_proxy_cache",
        {"name": "hub", "endpoint": "there", "storage_limit": "500 GiB"},
        {"name": "hub", "endpoint": "there", "storage_limit": "800 GiB", "public": True},
        "hub",
        lambda harbor: harbor._project("hub")["metadata"].update(public="false"),
    ),
    Life("harbor_scan_all", {}, {"cron": "0 30 1 * * 0"}, "scan_all", lambda harbor: harbor.scan_all.update(schedule={"type": "Daily", "cron": "0 0 0 * * *"})),
    Life(
        "harbor_gc_schedule",
        {},
        {"cron": "0 30 1 * * 0", "delete_untagged": False},
        "gc",
        lambda harbor: harbor.gc.update(job_parameters="{}", schedule={"cron": "0 0 0 * * *", "type": "Daily"}),
    ),
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: f"{life.module} {life.confirm}")
def test_what_a_dry_run_says_is_what_is_then_done(harbor: Harbor, run: t.Callable[..., Ran], life: Life) -> None:
    run_user(harbor)
    harbor.scanner = True
    if life.module in ("harbor_replication_policy", "harbor_proxy_cache"):
        harbor.post_registry(body={"name": "there", "type": "harbor", "url": "https://there"})

    def both(wanted: dict[str, t.Any], changes: bool) -> None:
        dry = run(life.module, wanted, check=True)
        assert not dry.wrote and not dry.result.get("failed"), dry
        real = run(life.module, wanted)
        assert not real.result.get("failed"), real
        assert dry.result["gpulab_prediction"] == real.result["gpulab_prediction"]
        assert (bool(dry.result["gpulab_prediction"]), dry.result["changed"], bool(real.wrote)) == (changes, changes, changes), (dry, real)

    both(life.made, True)
    both(life.made, False)
    both(life.changed, True)
    both(life.changed, False)
    life.drift(harbor)
    both(life.changed, True)
    both(life.changed, False)
    unconfirmed = run(life.module, {**life.made, "state": "absent"})
    assert unconfirmed.result["failed"] and not unconfirmed.wrote and f"confirm is expected to be '{life.confirm}'" in unconfirmed.said
    both({**life.made, "state": "absent", "confirm": life.confirm}, True)
    both({**life.made, "state": "absent", "confirm": life.confirm}, False)


def run_user(harbor: Harbor) -> None:
    harbor.post_user(body={"username": "alice", "email": "a@lab.example", "password": "Passw0rd1"})


def test_the_secret_of_a_robot_is_told_once_into_a_file_of_its_owner(harbor: Harbor, run: t.Callable[..., Ran], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ci.secret"
    wanted = {**CI, "secret_file": str(path)}
    assert run("harbor_robot", wanted, check=True).result["changed"] and not path.exists()
    made = run("harbor_robot", wanted)
    secret = harbor.passwords["robot$ml+ci"]
    assert path.read_text(encoding="utf-8") == secret + "\n" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in json.dumps(made.result)
    assert not run("harbor_robot", wanted).result["changed"]
    path.unlink()
    lost = run("harbor_robot", wanted)
    assert lost.result["failed"] and not lost.wrote and "Harbor tells it once: put the file back, or set renew_secret" in lost.said
    renewed = run("harbor_robot", {**wanted, "renew_secret": True})
    assert [verb for verb, _path in renewed.wrote] == ["PATCH"]
    assert path.read_text(encoding="utf-8") == harbor.passwords["robot$ml+ci"] + "\n" != secret + "\n"


def test_all_are_looked_at_before_the_first_is_changed(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    half = run("harbor_project_member", {"project": "ml", "username": "admin", "role": "guest"}, {"project": "nope", "username": "admin"})
    assert half.result["failed"] and not half.wrote and "project nope is expected to be there, but is not" in half.said


def test_objects_beyond_a_hundred_are_found(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    for number in range(130):
        harbor.post_robot(body={"name": f"r{number}", "level": "system", "duration": -1, "permissions": [{"kind": "project", "namespace": "*", "access": []}]})
    before = len(harbor.requests)
    all_of_them = run("harbor_robot", *({"name": f"r{number}", "access": ["repository:pull"], "days": -1} for number in range(130)), check=True)
    assert len(all_of_them.result["gpulab_prediction"]) == 130 and len(harbor.requests) - before <= 4, "a list is read once"
    last = {"name": "r129", "access": ["repository:pull"], "days": -1}
    assert run("harbor_robot", last).result["gpulab_prediction"][0]["before"] == {"access": {"*": []}}


def test_a_secret_that_nobody_can_read_is_written_when_asked(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    assert run("harbor_registry_endpoint", HUB).result["changed"] and harbor.registries[1]["credential"]["access_secret"] == "regpass"
    new = {**HUB, "access_secret": "another"}
    assert not run("harbor_registry_endpoint", new).result["changed"], "that it differs cannot be seen"
    told = run("harbor_registry_endpoint", {**new, "renew_secret": True})
    assert told.result["changed"] and harbor.registries[1]["credential"]["access_secret"] == "another" and "another" not in json.dumps(told.result)
    assert told.result["gpulab_prediction"][0]["after"] == {"access_secret": {"__unknown__": "secret"}}


def test_settings_are_kept_and_secret_ones_written_each_time(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    wanted = [{"name": "token_expiration", "value": "45"}, {"name": "read_only", "value": True}, {"name": "oidc_endpoint", "value": "https://sso"}]
    dry, real = run("harbor_configuration", *wanted, check=True), run("harbor_configuration", *wanted)
    assert dry.result["gpulab_prediction"] == real.result["gpulab_prediction"] and len(real.wrote) == 3 and not dry.wrote
    assert (harbor.settings["token_expiration"], harbor.settings["read_only"], harbor.settings["oidc_endpoint"]) == (45, True, "https://sso")
    assert not run("harbor_configuration", *wanted).result["changed"]
    secret = {"name": "oidc_client_secret", "value": "hush-hush", "secret": True}
    for _time in range(2):
        told = run("harbor_configuration", secret)
        assert told.result["changed"] and harbor.hidden == {"oidc_client_secret": "hush-hush"}
        assert told.result["gpulab_prediction"][0]["after"] == {"value": {"__unknown__": "secret"}}


def test_a_way_to_log_in_that_is_fixed_is_told(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    run_user(harbor)
    fixed = run("harbor_configuration", {"name": "auth_mode", "value": "oidc_auth"})
    assert not fixed.wrote and "is expected to be 'oidc_auth', but is 'db_auth', and this Harbor does not let it be changed" in fixed.said


BAD = [
    ("harbor_user", {**BOB, "password": "weak"}, "a password of 8 characters or more with A-Z, a-z and 0-9 is expected"),
    ("harbor_user", {**BOB, "email": "bob"}, "an email is expected, but 'bob' is none"),
    ("harbor_webhook", {**HOOK, "address": "ci"}, "an address as https://ci.example/hook is expected, but it is none"),
    ("harbor_webhook", {**HOOK, "events": []}, "events are expected, but none is given"),
    ("harbor_webhook", {**HOOK, "events": ["NOPE"]}, "value of events must be one or more of"),
    ("harbor_configuration", {"name": "token_expiraton", "value": 45}, "is expected to be one of Harbor's, but is none (is token_expiration meant?)"),
    ("harbor_configuration", {"name": "token_expiration", "value": "soon"}, "is expected to be a whole number, but is 'soon'"),
    ("harbor_configuration", {"name": "read_only", "value": "maybe"}, "is expected to be true or false, but is 'maybe'"),
    ("harbor_configuration", {"name": "read_only", "state": "absent", "confirm": "read_only"}, "Harbor removes no setting"),
    ("harbor_registry_endpoint", {**HUB, "endpoint": "hub"}, "an address as https://registry.example is expected, but it is 'hub'"),
    ("harbor_registry_endpoint", {"name": "hub", "endpoint": "http://x", "access_key": "lab"}, "access_secret is expected beside access_key"),
    ("harbor_registry_endpoint", {**HUB, "type": "nope"}, "value of type must be one of"),
    ("harbor_label", {"name": "x", "color": "blue"}, "a color as #0065AB is expected, but it is 'blue'"),
    ("harbor_label", {"name": "x", "project": "nope"}, "project nope is expected to be there"),
    ("harbor_retention", {"project": "ml"}, "a rule is expected, but none is given, by which nothing would stay"),
    ("harbor_retention", {"project": "ml", "rules": [{"keep": "latest_pushed"}]}, "a number of 1 or more is expected in each rule, but one has 0"),
    ("harbor_retention", {**TEN, "cron": "0 3 * * *"}, "a cron of six fields is expected, seconds first, as 0 0 3 * * *, but it is '0 3 * * *'"),
    ("harbor_retention", {"project": "ml", "rules": [{"keep": "some"}]}, "value of keep must be one of"),
    ("harbor_tag_immutability", {"project": "nope", "tags": "v*"}, "project nope is expected to be there"),
    ("harbor_gc_schedule", {"cron": "daily"}, "a cron of six fields is expected"),
    ("harbor_scan_all", {"cron": "daily"}, "a cron of six fields is expected"),
    ("harbor_scan_all", {}, "answers 412 (no scanner is configured, it's not possible to scan)"),
    ("harbor_replication_policy", {"name": "x"}, "source or destination is expected, an endpoint"),
    ("harbor_replication_policy", {"name": "x", "source": "a", "destination": "b"}, "but there are both or none"),
    ("harbor_replication_policy", {"name": "x", "source": "a"}, "endpoint a is expected to be there, but is not"),
    ("harbor_replication_policy", {"name": "x", "source": "a", "trigger": "scheduled"}, "a cron is expected with trigger scheduled"),
    ("harbor_replication_policy", {"name": "x", "source": "a", "trigger": "scheduled", "cron": "0 2 * * *"}, "a cron of six fields is expected"),
    ("harbor_replication_policy", {"name": "x", "source": "a", "trigger": "event_based"}, "because another registry tells no events"),
    ("harbor_proxy_cache", {"name": "x", "endpoint": "a"}, "endpoint a is expected to be there, but is not"),
    ("harbor_proxy_cache", {"name": "ml", "endpoint": "a"}, "is expected to be one of endpoint a, but is a project"),
    ("harbor_proxy_cache", {"name": "Hub", "endpoint": "a"}, "a name of lower-case letters"),
    ("harbor_project", {"name": "Vision"}, "a name of lower-case letters"),
    ("harbor_project", {"name": "a" * 256}, "at most 255 bytes"),
    ("harbor_project", {"name": "vision", "storage_limit": "50 GB"}, "storage_limit is expected as 500 GiB"),
    ("harbor_project", {"name": "vision", "storage_limit": "0"}, "storage_limit is expected as 500 GiB"),
    ("harbor_project", {"name": "vision", "storage_limit": "-1 GiB"}, "storage_limit is expected as 500 GiB"),
    ("harbor_project", {"name": "vision", "severity": "awful"}, "value of severity must be one of"),
    ("harbor_project", {"name": "vision", "public": "maybe"}, "is not a valid boolean"),
    ("harbor_project", {"name": "vision", "pubic": True}, "Unsupported parameters"),
    ("harbor_project", {"name": "ml", "state": "absent", "confirm": "ml"}, "is expected to be empty before it is removed, but has 1 repositories"),
    ("harbor_project", {"name": "ml", "state": "absent", "confirm": "vision"}, "confirm is expected to be 'ml' for that, but is 'vision'"),
    ("harbor_project_member", {"project": "nope", "username": "admin"}, "project nope is expected to be there"),
    ("harbor_project_member", {"project": "ml", "username": "ghost"}, "user ghost is expected to be there, but is not: make it first"),
    ("harbor_project_member", {"project": "ml", "username": "admin", "role": "king"}, "value of role must be one of"),
    ("harbor_robot", {**CI, "name": "Bad Name"}, "a name of lower-case letters"),
    ("harbor_robot", {**CI, "days": 0}, "days of 1 or more are expected, or -1 for ever, but 0 is asked for"),
    ("harbor_robot", {**CI, "access": []}, "access is expected, as repository:pull, but none is given"),
    ("harbor_robot", {**CI, "access": ["pull"]}, "access is expected as repository:pull, but one is 'pull'"),
    ("harbor_robot", {**CI, "project": "nope"}, "project nope is expected to be there"),
    ("harbor_robot", {**CI, "secret_file": "/nope/ci"}, "the directory of secret_file /nope/ci is expected, but is not there"),
]


@pytest.mark.parametrize(("module", "wanted", "said"), BAD)
@pytest.mark.parametrize("check", [True, False])
def test_bad_input_is_one_sentence_and_nothing_is_done(run: t.Callable[..., Ran], module: str, wanted: dict[str, t.Any], said: str, check: bool) -> None:
    ran = run(module, wanted, check=check)
    assert ran.result["failed"] and said in ran.said and "\n" not in ran.said, ran
    assert not ran.wrote


@pytest.mark.parametrize("check", [True, False])
def test_a_quota_below_what_is_used_is_refused_before_anything_is_written(harbor: Harbor, run: t.Callable[..., Ran], check: bool) -> None:
    harbor.quotas[2]["used"]["storage"] = 5 << 30
    ran = run("harbor_project", {"name": "ml", "storage_limit": "4 GiB", "public": True}, check=check)
    assert ran.result["failed"] and not ran.wrote and "of at least what it has (5368709120 bytes) is expected, but 4294967296 is asked for" in ran.said


FAULTS = [
    ([(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "unauthorized"}]}')], "refuses with 401 (unauthorized): correct that one's password"),
    ([(403, b'{"errors": [{"code": "FORBIDDEN", "message": "forbidden"}]}')], "refuses with 403 (forbidden): correct what that one may do"),
    ([(200, b'{"project_id": 7, "na')], "with JSON, but what came is none"),
    ([(200, b"<html>welcome</html>")], "with JSON, but what came is none"),
    ([(500, b""), (500, b"oops")], "answers 500 (oops): see the logs of harbor-core"),
    ([(502, b""), (503, b"")], "answers 503: see the logs"),
]


@pytest.mark.parametrize(("answers", "said"), FAULTS)
def test_a_server_that_is_ill_is_one_sentence(harbor: Harbor, run: t.Callable[..., Ran], answers: list[tuple[int, bytes]], said: str) -> None:
    harbor.fails = list(answers)
    ran = run("harbor_project", {"name": "vision"})
    assert ran.result["failed"] and not ran.wrote and said in ran.said, ran.said
    assert len(harbor.projects) == 2


def test_a_server_that_is_slow_is_not_waited_for_for_ever(harbor: Harbor, run: t.Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_api, "TIMEOUT", 0.2)
    harbor.delay = 1.0
    ran = run("harbor_project", {"name": "vision"})
    assert ran.result["failed"] and not ran.wrote and "is expected to answer, but does not: " in ran.said and "timed out" in ran.said


def certificate(folder: pathlib.Path, days: int) -> pathlib.Path:
    """Of 127.0.0.1, signed by itself, which ends C(days) from now; with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "harbor")])
    now = datetime.datetime.now(datetime.timezone.utc)
    begun = now - datetime.timedelta(days=30)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begun, now + datetime.timedelta(days=days))
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = folder / "harbor.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.mark.parametrize(("days", "known", "said"), [(30, True, ""), (-1, True, "certificate has expired"), (30, False, "self-signed certificate")])
def test_certificates(harbor: Harbor, run: t.Callable[..., Ran], tmp_path: pathlib.Path, days: int, known: bool, said: str) -> None:
    pem = certificate(tmp_path, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = serve(harbor, context)
    try:
        url = f"https://127.0.0.1:{server.server_port}"
        ran = run("harbor_project", {"name": "vision"}, url=url, **({"ca_path": str(pem)} if known else {}))
    finally:
        server.shutdown()
        server.server_close()
    assert bool(ran.result.get("failed")) == bool(said), ran
    if said:
        assert not ran.wrote and said in ran.said and "correct the address or the certificate" in ran.said


def test_a_question_that_failed_once_is_asked_again_and_an_order_is_not(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    harbor.fails = [(500, b"")]
    assert run("harbor_project", {"name": "vision"}).result["changed"]
    harbor.fails = [(404, b""), (500, b"lost")]
    order = run("harbor_project", {"name": "speech"})
    assert order.result["failed"] and len(order.wrote) == 1 and "answers 500 (lost)" in order.said


def test_an_endpoint_that_is_dead_or_of_another_kind_or_in_use_is_told(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    harbor.dead = {"http://127.0.0.1:1"}
    dead = run("harbor_registry_endpoint", {**HUB, "endpoint": "http://127.0.0.1:1"})
    assert "answers 400 (the registry is unhealthy)" in dead.said and not harbor.registries
    assert run("harbor_registry_endpoint", HUB).result["changed"]
    other = run("harbor_registry_endpoint", {**HUB, "type": "harbor"})
    assert not other.wrote and "is expected to be of type harbor, but is docker-registry, and Harbor changes none" in other.said
    harbor.registries[1]["used"] = True
    used = run("harbor_registry_endpoint", {**HUB, "state": "absent", "confirm": "hub"})
    assert "answers 412 (the registry 1 is referenced by replication policies, cannot delete it)" in used.said


def test_how_it_is(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    run("harbor_project", {"name": "vision", "storage_limit": "100 GiB"})
    harbor.quotas[3]["used"]["storage"] = 75 << 30
    run("harbor_robot", CI, {"name": "fleet", "access": ["repository:pull"], "days": -1})
    told = run("harbor_info").result
    vision = next(row for row in told["projects"] if row["name"] == "vision")
    assert (vision["used_ratio"], vision["limit_bytes"], vision["public"]) == (0.75, 100 << 30, False)
    assert next(row for row in told["projects"] if row["name"] == "ml")["limit_bytes"] is None
    assert (told["version"], told["status"], told["unhealthy"], told["gc_cron"]) == ("v2.16.0", "healthy", [], "")
    assert {row["name"]: row["days_left"] and round(row["days_left"]) for row in told["robots"]} == {"robot$ml+ci": 30, "robot$fleet": None}
    run("harbor_gc_schedule", {"cron": "0 0 2 * * *"})
    assert run("harbor_info").result["gc_cron"] == "0 0 2 * * *"


def test_nobody_there_is_one_sentence(run: t.Callable[..., Ran]) -> None:
    ran = run("harbor_project", {"name": "vision"}, url="http://127.0.0.1:9")
    assert ran.result["failed"] and "http://127.0.0.1:9 is expected to answer, but does not" in ran.said


def test_what_harbor_took_and_did_not_do_is_told(harbor: Harbor, run: t.Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("harbor_project", {"name": "vision"}).result["changed"]
    monkeypatch.setitem(Harbor.routes, ("PUT", "/projects/([^/]+)"), lambda harbor, key, **_: (200, None, {}))
    ran = run("harbor_project", {"name": "vision", "public": True})
    assert ran.result["failed"] and "is expected to read back as it was written, but differs in public" in ran.said


def test_a_password_that_harbor_took_and_did_not_set_is_told(harbor: Harbor, run: t.Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("harbor_user", BOB).result["changed"]
    monkeypatch.setitem(Harbor.routes, ("PUT", r"/users/(\d+)/password"), lambda harbor, key, **_: (200, None, {}))
    ran = run("harbor_user", {**BOB, "password": "Passw0rd3"})
    assert ran.result["failed"] and "is expected to read back as it was written, but differs in password" in ran.said and "Passw0rd3" not in ran.said


@pytest.mark.parametrize(
    ("text", "number"), [("-1", -1), (-1, -1), ("1 GiB", 1 << 30), ("2TiB", 2 << 40), (5, 5), ("0", None), ("1 GB", None), ("much", None), ("-1 GiB", None)]
)
def test_sizes(text: t.Any, number: int | None) -> None:
    assert size(text) == number


words = st.text("abcxyz", min_size=1, max_size=6)
cron = st.sampled_from(["0 0 2 * * *", "0 30 1 * * 0", "0 0 0 1 * *"])
rule = st.fixed_dictionaries(
    {"keep": st.sampled_from(["latest_pushed", "latest_pulled", "days_since_push", "days_since_pull"]), "number": st.integers(1, 99)},
    optional={"repositories": words, "tags": words, "untagged": st.booleans()},
)
access = st.lists(st.sampled_from(["repository:pull", "repository:push", "artifact:delete", "tag:list"]), min_size=1, unique=True)
flag = {name: st.booleans() for name in ("public", "auto_scan", "prevent_vul")}
OPTIONS: dict[str, st.SearchStrategy[dict[str, t.Any]]] = {
    "harbor_project": st.fixed_dictionaries(
        {"name": st.just("any")},
        optional={
            **flag,
            "severity": st.sampled_from(["none", "low", "medium", "high", "critical"]),
            "storage_limit": st.sampled_from(["-1", "1 GiB", "500 GiB", "2 TiB"]),
        },
    ),
    "harbor_robot": st.fixed_dictionaries(
        {"name": st.just("any"), "access": access, "days": st.one_of(st.just(-1), st.integers(1, 999))},
        optional={"project": st.just("ml"), "description": words, "disabled": st.booleans()},
    ),
    "harbor_label": st.fixed_dictionaries(
        {"name": st.just("any")}, optional={"project": st.just("ml"), "color": st.sampled_from(["", "#0065AB", "#FFFFFF"]), "description": words}
    ),
    "harbor_retention": st.fixed_dictionaries({"project": st.just("ml"), "rules": st.lists(rule, min_size=1, max_size=3)}, optional={"cron": cron}),
    "harbor_tag_immutability": st.fixed_dictionaries({"project": st.just("ml"), "tags": words}, optional={"repositories": words, "disabled": st.booleans()}),
    "harbor_gc_schedule": st.fixed_dictionaries({}, optional={"cron": cron, "delete_untagged": st.booleans(), "workers": st.integers(1, 5)}),
    "harbor_webhook": st.fixed_dictionaries(
        {
            **{name: st.just(HOOK[name]) for name in ("project", "name", "address")},
            "events": st.lists(st.sampled_from(["PUSH_ARTIFACT", "PULL_ARTIFACT", "QUOTA_EXCEED"]), min_size=1, unique=True),
        },
        optional={"enabled": st.booleans(), "insecure": st.booleans()},
    ),
    "harbor_replication_policy": st.fixed_dictionaries(
        {"name": st.just("any"), "source": st.just("there")},
        optional={
            **{name: st.booleans() for name in ("enabled", "override", "deletion")},
            **dict.fromkeys(("repositories", "tags", "namespace"), words),
            "speed": st.one_of(st.just(-1), st.integers(1, 9999)),
            "flatten": st.integers(-1, 3),
        },
    ),
}


@pytest.mark.parametrize("module", OPTIONS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(data=st.data())
def test_a_second_run_never_changes_anything(harbor: Harbor, run: t.Callable[..., Ran], module: str, data: st.DataObject) -> None:
    """From whatever was there before."""
    if not harbor.registries:
        harbor.post_registry(body={"name": "there", "type": "harbor", "url": "https://there"})
    for _time in range(2):
        wanted = data.draw(OPTIONS[module])
        first, again = run(module, wanted), run(module, wanted)
        assert not first.result.get("failed") and not again.result.get("failed"), (first, again)
        assert not again.result["changed"] and not again.wrote


@pytest.mark.parametrize("name", ["2024", "1", "2", "007"])
def test_a_project_with_a_name_of_digits_is_no_id(harbor: Harbor, run: t.Callable[..., Ran], name: str) -> None:
    """1 and 2 are ids of other projects."""
    others = {number: dict(project) for number, project in harbor.projects.items()}
    wanted = {"name": name, "public": True}
    assert run("harbor_project", wanted, check=True).result["gpulab_prediction"][0]["before"] is None
    assert run("harbor_project", wanted).result["changed"] and not run("harbor_project", wanted).result["changed"]
    label = {"name": "mark", "project": name}
    assert run("harbor_label", label).result["changed"] and not run("harbor_label", label).result["changed"]
    assert run("harbor_label", {**label, "state": "absent", "confirm": f"{name}/mark"}).result["changed"]
    assert run("harbor_project", {"name": name, "state": "absent", "confirm": name}).result["changed"]
    assert harbor.projects == others


ODD = st.text(min_size=1, max_size=255) | st.sampled_from(
    ["-x", "--rsh=x", "a b", "a'\"b", "a\nb", "%s{{ 7*7 }}", "../../users", "ml/members", "a,b=c", "[1~2]", "{a b}", "~ml", "2024", "é", "?q=", "#", "x" * 255]
)
NAMED: dict[str, t.Callable[[str], dict[str, t.Any]]] = {
    "harbor_project": lambda name: {"name": name, "public": True},
    "harbor_proxy_cache": lambda name: {"name": name, "endpoint": name},
    "harbor_project_member": lambda name: {"project": name, "username": name},
    "harbor_robot": lambda name: {"name": name, "access": ["repository:pull"], "days": 1},
    "harbor_label": lambda name: {"name": name},
    "harbor_user": lambda name: {"username": name, "email": "o@lab.example", "password": "Passw0rd2"},
    "harbor_registry_endpoint": lambda name: {"name": name, "endpoint": "https://there"},
    "harbor_replication_policy": lambda name: {"name": "r", "destination": name},
    "harbor_retention": lambda name: {"project": name, "rules": [{"keep": "always"}]},
    "harbor_webhook": lambda name: {**HOOK, "name": name},
    "harbor_configuration": lambda name: {"name": name, "value": "1"},
}


@pytest.mark.parametrize("module", NAMED)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ODD)
def test_a_name_is_kept_as_it_is_or_refused_and_reaches_nothing_else(harbor: Harbor, run: t.Callable[..., Ran], module: str, name: str) -> None:
    harbor.__init__()  # type: ignore[misc]
    before = json.dumps([harbor.projects, harbor.users, harbor.settings], sort_keys=True)
    first = run(module, NAMED[module](name))
    if first.result.get("failed"):
        assert not first.wrote and "is expected" in first.said and "Traceback" not in first.said and "\n" not in first.said.strip()
        assert json.dumps([harbor.projects, harbor.users, harbor.settings], sort_keys=True) == before
    else:
        again = run(module, NAMED[module](name))
        assert not again.result.get("failed") and not again.result["changed"], again


VISION: list[dict[str, t.Any]] = [
    {"harbor_registry_endpoint": [{**HUB, "type": "harbor"}]},
    {"harbor_project": [{"name": "vision"}]},
    {"harbor_proxy_cache": [{"name": "hub-cache", "endpoint": "hub"}]},
    {"harbor_user": [BOB]},
    {"harbor_project_member": [{"project": "vision", "username": "bob"}]},
    {"harbor_label": [{"project": "hub-cache", "name": "mark"}]},
    {"harbor_retention": []},
    {"harbor_replication_policy": [{"name": "out", "destination": "hub"}]},
]


def test_one_call_keeps_objects_of_many_kinds(harbor: Harbor, run: t.Callable[..., Ran]) -> None:
    """A dry run predicts what belongs to a project that is not there yet, from the same list."""
    dry = run("harbor_objects", *VISION, check=True)
    assert not dry.wrote and len(dry.result["gpulab_prediction"]) == 7, dry.said
    real = run("harbor_objects", *VISION)
    assert real.result.get("gpulab_prediction") == dry.result["gpulab_prediction"] and len(real.wrote) == 7, real.said
    again = run("harbor_objects", *VISION)
    assert not again.result["changed"] and not again.wrote


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ({"harbor_project_member": [{"project": "visoin", "username": "alice"}]}, "project visoin is expected to be there, but is not"),
        ({"harbor_project_member": [{"project": "vision", "username": "bbo"}]}, "user bbo is expected to be there, but is not"),
        ({"harbor_label": [{"name": "mark", "color": "red"}]}, "a color as #0065AB is expected"),
        ({"harbor_project": [{"name": "ml", "state": "absent"}]}, "confirm is expected to be 'ml'"),
        ({"harbor_projects": [{"name": "ml"}]}, "with its objects is expected in each entry, but one has harbor_projects"),
    ],
)
def test_one_call_is_refused_before_anything_is_changed(run: t.Callable[..., Ran], last: dict[str, t.Any], sentence: str) -> None:
    for check in (True, False):
        ran = run("harbor_objects", *VISION[:3], last, check=check)
        assert sentence in ran.said and not ran.wrote


def test_what_belongs_to_a_project_goes_before_it(run: t.Callable[..., Ran]) -> None:
    assert run("harbor_objects", *VISION).result["changed"]
    gone = {"state": "absent"}
    project, member = {"name": "vision", "confirm": "vision", **gone}, {"project": "vision", "username": "bob", "confirm": "vision/bob", **gone}
    for check in (True, False):
        ran = run("harbor_objects", {"harbor_project": [project]}, {"harbor_project_member": [member]}, check=check)
        assert "project vision is expected to stay, but the same list removes it before: list this one first." in ran.said and not ran.wrote
    assert len(run("harbor_objects", {"harbor_project_member": [member]}, {"harbor_project": [project]}).wrote) == 2


@pytest.mark.parametrize("check", [True, False])
def test_an_email_that_another_has_is_refused_before_anything_is_written(harbor: Harbor, run: t.Callable[..., Ran], check: bool) -> None:
    run_user(harbor)
    ran = run("harbor_user", {**BOB, "email": "a@lab.example"}, check=check)
    assert "user bob: an email of his own is expected, but a@lab.example is that of alice: give another one." in ran.said and not ran.wrote


def test_a_user_of_a_directory_may_be_new_to_harbor(harbor: Harbor, run: t.Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Harbor asks LDAP for him when he becomes a member."""
    told = type(harbor).systeminfo
    monkeypatch.setitem(harbor.routes, ("GET", "/systeminfo"), lambda self, **more: (200, {**told(self, **more)[1], "auth_mode": "ldap_auth"}, {}))
    dry = run("harbor_project_member", {"project": "ml", "username": "ghost"}, check=True)
    assert dry.result["changed"] and not dry.wrote


@pytest.mark.parametrize(("role", "changes"), [("project_admin", 0), ("developer", 1)])
def test_who_creates_a_project_is_its_admin(run: t.Callable[..., Ran], role: str, changes: int) -> None:
    """Source: Create() in https://github.com/goharbor/harbor/blob/main/src/pkg/project/dao/dao.go adds the owner as a member."""
    dry = run(
        "harbor_objects",
        {"harbor_project": [{"name": "vision"}]},
        {"harbor_project_member": [{"project": "vision", "username": "admin", "role": role}]},
        check=True,
    )
    members = [change for change in dry.result["gpulab_prediction"] if change["kind"] == "harbor_project_member"]
    assert len(members) == changes and all(change["before"] == {"role": "project_admin"} for change in members)
