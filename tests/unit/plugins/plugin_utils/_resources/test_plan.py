# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._host import APT_CACHE
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown, unknown_text
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.base import Confirmation, PlanError, Resource
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.packages import Repository, deb822
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.plan import KINDS, compute, foresee, query, real_after
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.programs import imported

BARE: dict[str, t.Any] = {
    "now": 1000.0,
    "packages": {},
    "paths": {},
    "contents": {},
    "users": {},
    "groups": {},
    "units": {},
    "python_envs": {},
    "simulation": None,
    "dpkg_interrupted": False,
    "policy_rc_d": "absent",
    "left_modules": [],
}
ETC = {"type": "directory", "mode": "0755", "owner": "root", "group": "root", "read_only": False}


def resources(*items: tuple[str, dict[str, t.Any]]) -> list[Resource]:
    defaults = {
        "file": {"owner": "root", "group": "root", "secret": False},
        "directory": {"owner": "root", "group": "root"},
        "unit": {"state": None, "enabled": None, "restarted_by": [], "makes": ""},
        "packages": {"brings": {}},
        "read": {"optional": False},
        "user": {"shell": "/bin/sh", "comment": "", "create_home": False},
        "python_env": {"index_url": "", "compile": True},
        "absent": {"holds": ""},
        "needs": {"directory": None, "address_of": None},
        "ssh_key": {"comment": ""},
    }
    return [KINDS[kind]({**defaults.get(kind, {}), **args}, index) for index, (kind, args) in enumerate(items)]


def seen(**more: t.Any) -> dict[str, t.Any]:
    return {**BARE, **more}


PACKAGE = ("packages", {"names": ["chrony"], "brings": {"units": ["chrony.service"], "paths": ["/etc/chrony"]}})
CONF = ("file", {"path": "/etc/chrony/chrony.conf", "content": "pool a\n", "mode": "0644"})
UNIT = ("unit", {"name": "chrony.service", "state": "started", "enabled": True, "restarted_by": ["/etc/chrony/chrony.conf"]})
SIMULATION = {"install": [{"name": "chrony", "old": None, "version": "4.3"}, {"name": "ucf", "old": None, "version": "3"}], "remove": []}
BARE_CHRONY = seen(
    packages={"chrony": None},
    paths={"/etc/chrony": None, "/etc/chrony/chrony.conf": None},
    units={"chrony.service": None},
    simulation=SIMULATION,
)


DRIVER = {"install": [{"name": "tool", "old": None, "version": "1"}, {"name": "nvidia-driver", "old": "550", "version": "560"}], "remove": ["docker.io"]}
LI = Confirmation("gpu1", ["nvidia-driver", "docker.io", "docker.service"], "Li Wei", "CUDA 12.6", "2026-12-31")


def test_bare_host_gets_everything_in_order() -> None:
    changes = compute(resources(PACKAGE, CONF, UNIT), BARE_CHRONY, set())
    assert [c.resource.kind for c in changes] == ["packages", "file", "unit"]
    assert changes[0].after == {"packages": {"chrony": "4.3", "ucf": "3"}} and changes[0].impact == ("installs 2 packages",)
    assert changes[2].after == {"active": "active", "enabled": "enabled", "since": unknown("time")}


def test_what_nobody_brings_is_an_error() -> None:
    with pytest.raises(PlanError, match="its directory /etc/chrony is expected to exist or to come earlier in this list") as caught:
        compute(resources(CONF), seen(paths={"/etc/chrony": None, "/etc/chrony/chrony.conf": None}), set())
    assert caught.value.index == 0
    with pytest.raises(PlanError, match=r"unit chrony.service: it is expected to exist or to be brought"):
        compute(resources(UNIT), seen(units={"chrony.service": None}), set())


def test_what_the_run_has_pending_counts() -> None:
    pending = {("path", "/etc/chrony"), ("unit", "chrony.service")}
    observed = seen(paths={"/etc/chrony": None, "/etc/chrony/chrony.conf": None}, units={"chrony.service": None})
    assert len(compute(resources(CONF, UNIT), observed, pending)) == 2


def converged(mtime: float, since: float, **unit: t.Any) -> dict[str, t.Any]:
    (conf,) = resources(CONF)
    digest = conf.plan(_world(BARE_CHRONY)).after["sha256"]  # type: ignore[union-attr]
    file = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "sha256": digest, "mtime": mtime}
    state = {"active": "active", "enabled": "enabled", "need_daemon_reload": False, "since": since, **unit}
    return seen(packages={"chrony": "4.3"}, paths={"/etc/chrony": ETC, "/etc/chrony/chrony.conf": file}, units={"chrony.service": state})


def _world(observed: dict[str, t.Any]) -> t.Any:
    from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.base import World

    return World(observed, frozenset({("path", "/etc/chrony")}), frozenset())


def test_converged_host_gets_nothing() -> None:
    assert compute(resources(PACKAGE, CONF, UNIT), converged(mtime=100, since=200), set()) == []


def test_unit_older_than_its_file_restarts() -> None:
    """Also when the run that wrote the file was killed before the restart."""
    (change,) = compute(resources(PACKAGE, CONF, UNIT), converged(mtime=300, since=200), set())
    assert change.after == {"since": unknown("time")} and change.impact == ("restarts chrony.service",)
    assert change.steps[0].args["state"] == "restarted"


def test_a_time_in_the_future_restarts_nothing() -> None:
    """A restart would not cure it, and it would be predicted for ever."""
    assert compute(resources(UNIT), converged(mtime=5000, since=200), set()) == []


def test_new_content_restarts_but_a_new_mode_does_not() -> None:
    observed = converged(mtime=100, since=200)
    observed["paths"]["/etc/chrony/chrony.conf"]["mode"] = "0600"
    assert [c.resource.kind for c in compute(resources(CONF, UNIT), observed, set())] == ["file"]
    observed["paths"]["/etc/chrony/chrony.conf"]["sha256"] = "other"
    assert [c.resource.kind for c in compute(resources(CONF, UNIT), observed, set())] == ["file", "unit"]


def test_stopped_and_unloaded_units() -> None:
    (change,) = compute(resources(UNIT), converged(100, 200, active="failed", need_daemon_reload=True), set())
    assert change.after == {"active": "active", "since": unknown("time"), "need_daemon_reload": False}
    assert change.before == {"active": "inactive", "since": 200, "need_daemon_reload": True}


def test_template_unit_brings_its_instances() -> None:
    items = resources(
        ("file", {"path": "/etc/systemd/system/copy@.timer", "content": "x", "mode": "0644"}),
        ("unit", {"name": "copy@gpu1.timer", "state": "started", "enabled": True}),
    )
    observed = seen(paths={"/etc/systemd/system": ETC, "/etc/systemd/system/copy@.timer": None}, units={"copy@gpu1.timer": None})
    assert len(compute(items, observed, set())) == 2


def test_derived_from_unknown_is_unknown() -> None:
    content = f'command="borg serve" {unknown_text("generated", "/etc/id.pub")}\n'
    items = resources(("file", {"path": "/etc/keys", "content": content, "mode": "0600"}))
    (change,) = compute(items, seen(paths={"/etc": ETC, "/etc/keys": None}), set())
    assert change.after["sha256"] == unknown("generated")
    assert change.text == ("", 'command="borg serve" (known after apply: /etc/id.pub)\n')


def test_secret_shows_neither_content_nor_digest() -> None:
    items = resources(("file", {"path": "/etc/pass", "content": "hunter2 hunter2\n", "mode": "0600", "secret": True}))
    file = {"type": "file", "mode": "0600", "owner": "root", "group": "root", "sha256": "old", "mtime": 1}
    (change,) = compute(items, seen(paths={"/etc": ETC, "/etc/pass": file}), set())
    assert change.after == {"sha256": unknown("secret")} and change.before == {"sha256": unknown("secret")}
    assert change.text == ("", "(secret)\n") and query(items)["contents"] == []
    after = real_after(change, seen(paths={"/etc/pass": {**file, "sha256": "new"}}))
    assert after == {"sha256": unknown("secret")}


def test_nothing_is_deleted() -> None:
    items = resources(("directory", {"path": "/srv/borg", "mode": "0750"}))
    with pytest.raises(PlanError, match="a directory is expected there, but a file is found: move it away"):
        compute(items, seen(paths={"/srv": ETC, "/srv/borg": {"type": "file", "mode": "0644", "owner": "root", "group": "root"}}), set())


SOURCES = {
    "_lab.programs.look": "import os\nfrom ..client import ask\nfrom ..._textfile import Textfile\n",
    "_lab.programs.twin": "from .. import client\n",
    "_lab.client": "from .errors import LabError\n",
    "_lab.errors": "",
    "_textfile": "",
}


def test_a_program_comes_with_what_it_imports_and_restarts_who_runs_it() -> None:
    files = imported(["_lab.programs.look"], SOURCES.get)
    assert list(files) == ["_lab/client.py", "_lab/errors.py", "_lab/programs/look.py", "_textfile.py"]
    assert list(imported(["_lab.programs.twin"], SOURCES.get)) == ["_lab/client.py", "_lab/errors.py", "_lab/programs/twin.py"]
    with pytest.raises(PlanError, match="expected to be a module of plugins/module_utils, as _gpu.programs.metrics, but '_lab.look' is none"):
        imported(["_lab.look"], SOURCES.get)
    (program,) = resources(("programs", {"names": ["_lab.programs.look"], "files": files}))
    beside = program.beside()
    package = "/usr/local/lib/gpulab/gpulab"
    folders = ["/usr/local/lib/gpulab", package, f"{package}/_lab", f"{package}/_lab/programs"]
    assert [each.key for each in beside] == [*folders, *(f"{package}/{path}" for path in files)]
    (program,) = resources(("programs", {"names": ["_harbor.programs.installer"], "files": {}}))
    assert [each.key for each in program.beside() if each.kind == "absent"] == [f"{folders[0]}/gpulab_harbor/{name}.py" for name in ("__init__", "serve")]
    (unit,) = resources(("unit", {"name": "lab.service", "state": "started", "files": files}))
    running = {"lab.service": {"active": "active", "enabled": "enabled", "need_daemon_reload": False, "since": 500.0}}
    there = {path: {"type": "file", "mode": "0644", "owner": "root", "group": "root", "mtime": 100.0} for path in query([unit])["paths"]}
    assert compute([unit], seen(paths=there, units=running), set()) == []
    (restarted,) = compute(
        [unit], seen(paths={**there, f"{package}/_lab/errors.py": {**there[f"{package}/_lab/errors.py"], "mtime": 600.0}}, units=running), set()
    )
    assert restarted.impact == ("restarts lab.service",)


ONE_DISK = {"/": {**ETC, "free": 4_000_000, "device": 1}, "/usr": {**ETC, "free": 4_000_000, "device": 1}}
HOSTS = [  # what a host has, the resource, and the sentence; None where a run can live with it
    ({"simulation": {"error": "Held packages were changed", "held": ["chrony"]}}, PACKAGE, "is held: run apt-mark unhold chrony there"),
    ({"simulation": {**SIMULATION, "sizes": {"chrony": {"/usr": 2_000_000_000, APT_CACHE: 0}}}}, PACKAGE,
     "2000 MB are expected to be free on the file system of /usr, but 4 MB are"),
    ({"simulation": {**SIMULATION, "sizes": {"chrony": {"/usr": 3_000_000, APT_CACHE: 3_000_000}}}, "paths": ONE_DISK}, PACKAGE,
     "6 MB are expected to be free on the file system of /, but 4 MB are"),
    ({"simulation": {**SIMULATION, "sizes": {"chrony": {"/usr": 2_000_000, APT_CACHE: 1_000_000}}}, "paths": ONE_DISK}, PACKAGE, None),
    ({"simulation": {"error": "Held packages were changed", "held": ["chrony"]}, "packages": {"chrony": "4.3"}},
     PACKAGE, "APT is expected to be able to install it, but says: Held packages were changed"),
    ({"units": {"chrony.service": {"active": "inactive", "enabled": "masked", "need_daemon_reload": False, "since": None}},
      "paths": {"/var/lib/systemd/deb-systemd-helper-masked/chrony.service": {**ETC, "type": "link"}}}, UNIT, None),
    ({"units": {"chrony.service": {"active": "inactive", "enabled": "masked", "need_daemon_reload": False, "since": None}}}, UNIT,
     "is masked, by /etc/systemd/system/chrony.service: ask who did it, then run systemctl unmask chrony.service"),
    ({"units": {"chrony.service": {"active": "inactive", "enabled": "masked-runtime", "need_daemon_reload": False, "since": None}}}, UNIT,
     "is masked, by /run/systemd/system/chrony.service"),
    ({"units": {"chrony.service": {"active": "inactive", "enabled": "masked", "need_daemon_reload": False, "since": None}}},
     ("unit", {"name": "chrony.service", "state": "stopped"}), None),
    ({"paths": {"/etc/chrony": {**ETC, "read_only": True}, "/etc/chrony/chrony.conf": {**ETC, "type": "file", "sha256": "0"}}}, CONF, "is mounted read-only"),
    ({"paths": {"/etc/chrony": ETC, "/etc/chrony/chrony.conf": {**ETC, "type": "file", "sha256": "0", "immutable": True}}}, CONF,
     "/etc/chrony/chrony.conf is expected to be writable, but somebody has made it immutable"),
    ({"paths": {"/etc/chrony": {**ETC, "immutable": True}, "/etc/chrony/chrony.conf": None}}, CONF, "run chattr -i -a /etc/chrony there"),
    ({"paths": {"/opt": {**ETC, "free": 4_000_000}, "/": {**ETC, "free": 10**10}, "/opt/lab": None}},
     ("python_env", {"path": "/opt/lab/env", "requirements": ["a==1"]}), "64 MB are expected to be free on the file system of /opt, but 4 MB are"),
    ({"paths": {"/opt": {**ETC, "free": 4_000_000}, "/opt/lab": ETC}, "python_envs": {"/opt/lab/env": {"a": "0"}}},
     ("python_env", {"path": "/opt/lab/env", "requirements": ["a==1"]}), None),
    ({"users": {"borg": {"home": "/old/borg", "group": "borg", "shell": "/bin/sh", "comment": "Backups", "uid": 997}}},
     ("user", {"name": "borg", "home": "/srv/borg", "comment": "Backups"}), None),
    ({"users": {"borg": {"home": "/home/borg", "group": "staff", "shell": "/bin/bash", "comment": "", "uid": 1000}}},
     ("user", {"name": "borg", "home": "/srv/borg"}), "one is there with /home/borg and staff: it is somebody's"),
    ({"users": {"borg": None}, "groups": {"borg": {"gid": 1000, "members": ["ann"], "local": True}}}, ("user", {"name": "borg", "home": "/srv/borg"}),
     "there is one with ann in it, who could then read what is the role's"),
    ({"users": {"borg": None}, "groups": {"borg": {"gid": 1000, "members": [], "local": True}}}, ("user", {"name": "borg", "home": "/srv/borg"}), None),
    ({"users": {"borg": None}, "groups": {"borg": {"gid": 9, "members": [], "local": False}}}, ("user", {"name": "borg", "home": "/srv/borg"}),
     "there is one of a directory service"),
    ({"paths": {"/srv/text": None}}, ("needs", {"directory": "/srv/text", "set_by": "lab_directory"}),
     "needs /srv/text: it is expected to be a directory on this host, too, because lab_directory names it, but nothing is there: make it"),
    ({"paths": {"/opt/lab": None}}, ("needs", {"directory": "/opt/lab", "set_by": "lab_directory"}), None),  # an earlier task brings it
    ({"addresses": {"store1": []}}, ("needs", {"address_of": "store1", "set_by": "lab_server"}),
     "this host is expected to find the address of store1, but does not"),
    ({"addresses": {"store1": ["10.0.0.4"]}}, ("needs", {"address_of": "store1", "set_by": "lab_server"}), None),
]  # fmt: skip


@pytest.mark.parametrize(("has", "item", "sentence"), HOSTS)
def test_what_a_run_cannot_live_with_is_refused_before_it(has: dict[str, t.Any], item: tuple[str, dict[str, t.Any]], sentence: str | None) -> None:
    bare = {"packages": {"chrony": None}, "paths": {"/usr": {**ETC, "free": 4_000_000}, "/opt/lab": None}, "python_envs": {"/opt/lab/env": None}}
    host = seen(**{**bare, **has})
    if sentence is None:
        compute(resources(item), host, {("path", "/opt/lab"), ("unit", "chrony.service")})
        return
    with pytest.raises(PlanError, match=re.escape(sentence)):
        compute(resources(item), host, {("path", "/opt/lab"), ("unit", "chrony.service")})


def test_a_group_that_is_there_is_taken_and_a_service_of_a_new_package_is_restarted() -> None:
    """useradd makes no group of a name that is taken; and who lets packages start their services has it running with the old files."""
    (user,) = compute(
        resources(("user", {"name": "borg", "home": "/srv/borg"})), seen(users={"borg": None}, groups={"borg": {"gid": 9, "members": [], "local": True}}), set()
    )
    assert [(step.module, step.args.get("group")) for step in user.steps] == [("ansible.builtin.user", "borg")]
    (user,) = compute(resources(("user", {"name": "borg", "home": "/srv/borg"})), seen(users={"borg": None}, groups={"borg": None}), set())
    assert [step.module for step in user.steps] == ["ansible.builtin.group", "ansible.builtin.user"] and user.steps[1].args["group"] == "borg"
    changes = compute(resources(PACKAGE, CONF, UNIT), BARE_CHRONY, set())
    assert changes[2].steps[0].args["state"] == "restarted"


def test_what_an_earlier_version_wrote_goes_and_nothing_else() -> None:
    items = resources(
        ("absent", {"path": "/etc/lab/old.yml", "holds": "by lab"}), ("unit", {"name": "lab.service", "state": "started", "restarted_by": ["/etc/lab/old.yml"]})
    )
    running = {"lab.service": {"active": "active", "enabled": "enabled", "need_daemon_reload": False, "since": 500.0}}
    old = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "mtime": 100.0}
    ours = {"contents": {"/etc/lab/old.yml": "# by lab 0.1\n"}, "units": running}
    gone, restarted = compute(items, seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": old}, **ours), set())
    assert compute(items, seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": old}, units=running, contents={"/etc/lab/old.yml": "the admin's"}), set()) == []
    with pytest.raises(PlanError, match="/etc/lab is expected to be writable, but is mounted read-only"):
        compute(items, seen(paths={"/etc/lab": {**ETC, "read_only": True}, "/etc/lab/old.yml": old}, **ours), set())
    assert (gone.before, gone.after) == ({"present": True}, {"present": False}) and restarted.impact == ("restarts lab.service",)
    assert compute(items, seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": None}, units=running), set()) == []
    after = foresee(seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": old}, **ours), [gone.as_prediction()])
    assert compute(items[:1], after, set()) == []
    (by_name,) = resources(("absent", {"path": "/etc/lab/old.yml"}))
    (gone,) = compute([by_name], seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": old}), set())
    assert gone.after == {"present": False} and not by_name.query()["contents"], "a secret is not read to remove it"
    with pytest.raises(PlanError, match="a file that an earlier version wrote is expected there, but a directory is found: remove it yourself"):
        compute(items, seen(paths={"/etc/lab": ETC, "/etc/lab/old.yml": ETC}, units=running), set())


def test_read_only_place() -> None:
    items = resources(("directory", {"path": "/srv/borg", "mode": "0750"}))
    with pytest.raises(PlanError, match="/srv is expected to be writable, but is mounted read-only"):
        compute(items, seen(paths={"/srv": {**ETC, "read_only": True}, "/srv/borg": None}), set())


def test_a_runtime_under_jobs_needs_its_name() -> None:
    items = resources(("unit", {"name": "docker.service", "state": "started", "restarted_by": ["/etc/docker/daemon.json"]}))
    state = {"active": "active", "enabled": "enabled", "need_daemon_reload": False, "since": 200.0}
    observed = seen(paths={"/etc/docker/daemon.json": {"type": "file", "mtime": 300.0}}, units={"docker.service": state})
    with pytest.raises(PlanError, match=r"unit docker.service: it is expected to keep running, because jobs run under it"):
        compute(items, observed, set())
    assert compute(items, observed, set(), [LI], "2026-12-31")[0].impact[0] == "restarts docker.service"
    observed["units"]["docker.service"] = {**state, "active": "inactive"}
    assert len(compute(items, observed, set())) == 1, "starting it harms nobody"


def test_removal_is_told() -> None:
    observed = {**BARE_CHRONY, "simulation": {**SIMULATION, "remove": ["ntp"]}, "packages": {"chrony": None, "ntp": "1"}}
    (change,) = compute(resources(PACKAGE), observed, set())
    assert "removes package ntp" in change.impact and change.after["packages"]["ntp"] is None


def test_mirror_that_does_not_answer() -> None:
    with pytest.raises(PlanError, match="APT is expected to be able to install it, but says: no route"):
        compute(resources(PACKAGE), {**BARE_CHRONY, "simulation": {"error": "no route."}}, set())


def test_interrupted_transaction_is_finished() -> None:
    observed = {**converged(100, 200), "dpkg_interrupted": True, "policy_rc_d": "ours"}
    left, change = compute(resources(PACKAGE, CONF, UNIT), observed, set())
    assert left.resource.kind == "leftover" and left.after == {"present": False}
    assert change.after == {"packages": {}, "dpkg": "complete"}


def test_what_one_role_finishes_another_finds_done() -> None:
    """The power failed while rsyslog was configured; chrony, which comes first, is well."""
    begun = {"dpkg_interrupted": True, "half_configured": {"rsyslog": "8.2302.0-1"}}
    (change,) = compute(resources(PACKAGE), {**converged(100, 200), **begun}, set())
    assert change.after == {"packages": {"rsyslog": "8.2302.0-1"}, "dpkg": "complete"}
    rsyslog = ("packages", {"names": ["rsyslog"]})
    waiting = {**seen(packages={"rsyslog": None}), **begun, "simulation": {"install": [], "remove": []}}
    assert len(compute(resources(rsyslog), waiting, set())) == 1
    assert compute(resources(rsyslog), foresee(waiting, [change.as_prediction()]), set()) == []


def test_one_package_transaction() -> None:
    with pytest.raises(PlanError, match="one packages resource is expected"):
        compute(resources(PACKAGE, PACKAGE), BARE_CHRONY, set())


def test_package_must_bring_what_it_says() -> None:
    (package,) = resources(PACKAGE)
    after = seen(packages={"chrony": "4.3"}, paths={"/etc/chrony": ETC}, units={"chrony.service": None})
    assert package.missing(after) == ["unit chrony.service"]


def test_python_env() -> None:
    items = resources(("python_env", {"path": "/opt/x", "requirements": ["nvidia_ml_py==13.1", "borgmatic==2"], "index_url": "http://mirror/simple"}))
    observed = seen(python_envs={"/opt/x": {"nvidia-ml-py": "13.0", "borgmatic": "2"}}, paths={"/opt": ETC})
    (change,) = compute(items, observed, set())
    assert change.before == {"distributions": {"nvidia-ml-py": "13.0"}} and change.after == {"distributions": {"nvidia-ml-py": "13.1"}}
    assert "--trusted-host mirror" in change.steps[0].args["extra_args"]
    with pytest.raises(PlanError, match="each requirement is expected as name==version"):
        resources(("python_env", {"path": "/opt/x", "requirements": ["borgmatic>=2"]}))


def test_ssh_key() -> None:
    items = resources(("ssh_key", {"path": "/etc/id"}), ("read", {"path": "/etc/id.pub"}))
    (change,) = compute(items, seen(paths={"/etc": ETC, "/etc/id": None, "/etc/id.pub": None}), set())
    assert change.after == {"mode": "0600", "public_key": unknown("generated")}
    with pytest.raises(PlanError, match=r"its public key is expected in /etc/id.pub, but is gone"):
        compute(items[:1], seen(paths={"/etc": ETC, "/etc/id": {"mode": "0600", "sha256": "x"}, "/etc/id.pub": None}), set())


def test_user() -> None:
    items = resources(("user", {"name": "borg", "home": "/srv/borg"}))
    (change,) = compute(items, seen(users={"borg": None}), set())
    assert change.after["uid"] == unknown("server_assigned")
    same = {"uid": 5, "home": "/srv/borg", "shell": "/bin/sh", "group": "borg", "groups": []}
    assert compute(items, seen(users={"borg": same}), set()) == []


def test_repository_is_deb822_with_its_key() -> None:
    text = deb822({"name": "x", "uri": "http://mirror/apt", "suite": "box", "components": ["main"], "signed_by": "-----BEGIN\n\nabc\n-----END"})
    assert text.endswith("Signed-By:\n -----BEGIN\n .\n abc\n -----END\n")
    (repository,) = resources(("repository", {"name": "x", "uri": "u", "suite": "s", "components": [], "signed_by": "k"}))
    assert query([repository])["simulate"]["sources"] == {"/etc/apt/sources.list.d/x.sources": repository.args["content"]}


def test_a_second_role_finds_done_what_the_first_would_do() -> None:
    """The same list again, and one with more in it, planned from what this dry run has predicted for the host."""
    bare = seen(**{**BARE_CHRONY, "users": {"lab": None}, "python_envs": {"/opt/e": None}, "policy_rc_d": "ours"})
    bare["paths"] = {**bare["paths"], "/opt": ETC, "/srv": ETC, "/srv/lab": None, "/etc/key": None, "/etc/key.pub": None, "/etc": ETC}
    first = [
        PACKAGE,
        CONF,
        UNIT,
        ("user", {"name": "lab", "home": "/srv/lab"}),
        ("directory", {"path": "/srv/lab", "mode": "0750", "owner": "lab", "group": "lab"}),
        ("python_env", {"path": "/opt/e", "requirements": ["a==1"]}),
        ("ssh_key", {"path": "/etc/key"}),
    ]
    predictions = [c.as_prediction() for c in compute(resources(*first), bare, set())]
    assert len(predictions) == 8, "the seven, and the left-over policy-rc.d"
    pending = {("path", "/srv/lab")}
    assert compute(resources(*first), foresee(bare, predictions), pending) == []
    more = seen(**{**bare, "packages": {"chrony": None, "jq": None}, "simulation": {**SIMULATION, "install": [*SIMULATION["install"], JQ]}})
    wider = [("packages", {"names": ["chrony", "jq"]}), ("python_env", {"path": "/opt/e", "requirements": ["a==1", "b==2"]})]
    left = compute(resources(*wider), foresee(more, predictions), pending)
    assert [c.after for c in left] == [{"packages": {"jq": "1.6"}}, {"distributions": {"b": "2"}}]
    assert bare["packages"] == {"chrony": None}, "what was read is not changed"


JQ = {"name": "jq", "old": None, "version": "1.6"}


def test_only_a_first_start_is_known_to_find_nothing() -> None:
    """Of an engine that was stopped nobody can say what it keeps."""
    unit = ("unit", {"name": "engine.service", "state": "started", "enabled": None, "restarted_by": [], "makes": "/var/lib/engine/data"})
    idle = {"active": "inactive", "enabled": "enabled", "need_daemon_reload": False, "since": None}
    for made, first in ((None, True), ({**ETC}, False)):
        (change,) = compute(resources(unit), seen(units={"engine.service": idle}, paths={"/var/lib/engine/data": made}), set())
        assert (("first_start", "engine.service") in change.brings()) is first
    running = {**idle, "active": "active", "since": 1.0}
    assert not compute(resources(unit), seen(units={"engine.service": running}, paths={"/var/lib/engine/data": None}), set())


def test_a_login_of_a_package_source_goes_into_a_file_of_root() -> None:
    args = {"name": "x", "uri": "https://me:p%40ss@mirror/apt", "suite": "s", "components": [], "signed_by": "k"}
    (repository,) = resources(("repository", args))
    assert isinstance(repository, Repository)
    (login,) = repository.beside()
    assert login.key == "/etc/apt/auth.conf.d/gpulab-x.conf" and login.args["mode"] == "0600" and login.args["secret"]
    assert login.content == "machine https://mirror/apt login me password p@ss\n" and "p%40ss" not in repository.content
    assert set(query([repository])["simulate"]["sources"]) == {login.key, repository.key}
    (spaced,) = resources(("repository", {**args, "uri": "https://me:p%0Ass@mirror/apt"}))
    with pytest.raises(PlanError, match="without spaces and line breaks"):
        spaced.beside()  # type: ignore[attr-defined]


def test_a_login_is_no_argument_of_a_process_and_in_no_address_that_is_logged() -> None:
    items = resources(
        ("python_env", {"path": "/opt/x", "requirements": ["borgmatic==2"], "index_url": "http://me:Xq7@mirror/simple"}),
        ("download", {"path": "/opt/y", "url": "https://me:Xq7@mirror/y", "sha256": "0", "owner": "root", "group": "root", "mode": "0644"}),
    )
    pip, get = compute(items, seen(python_envs={"/opt/x": None}, paths={"/opt": ETC, "/opt/x": None, "/opt/y": None}), set())
    args = pip.steps[0].args
    assert "Xq7" not in args["extra_args"] and "name" not in args
    assert args["requirements_text"] == "--index-url http://me:Xq7@mirror/simple\n--trusted-host mirror\nborgmatic==2\n"
    assert get.steps[0].args["url"] == "https://mirror/y" and get.steps[0].args["url_password"] == "Xq7"
    assert "Xq7" not in repr([pip.as_prediction(), get.as_prediction()])


def test_what_a_killed_run_left_is_removed() -> None:
    (left,) = compute([], seen(left_modules=["/root/.ansible/tmp/ansible-tmp-1"]), set())
    assert left.resource.kind == "leftover" and left.resource.key == "/root/.ansible/tmp/ansible-tmp-1" and left.after == {"present": False}
    assert not compute([], foresee(seen(left_modules=["/root/.ansible/tmp/ansible-tmp-1"]), [left.as_prediction()]), set())


def test_who_confirms_until_a_day_is_told_and_nobody_else_ends_jobs() -> None:
    tool = resources(("packages", {"names": ["tool"]}))
    found = seen(packages={"tool": None}, simulation=DRIVER)
    with pytest.raises(PlanError, match=r"nvidia-driver, docker\.io are expected to stay.*names: \[nvidia-driver, docker\.io\].* to lab_confirm\.$"):
        compute(tool, found, set())
    with pytest.raises(PlanError, match=r"packages tool: docker\.io is expected to stay"):
        compute(tool, found, set(), [dataclasses.replace(LI, names=["nvidia-driver"])], "2026-12-31")
    with pytest.raises(PlanError, match=r"The confirmation by Li Wei ended on 2026-12-31\."):
        compute(tool, found, set(), [LI], "2027-01-01")
    (change,) = compute(tool, found, set(), [LI], "2026-12-31")
    assert change.impact[-1] == "confirmed by Li Wei until 2026-12-31: CUDA 12.6"

    unit = resources(("unit", {"name": "docker.service", "state": "stopped"}))
    running = seen(units={"docker.service": {"active": "active", "enabled": "enabled", "need_daemon_reload": False, "since": 1.0}})
    with pytest.raises(PlanError, match=r"unit docker\.service: it is expected to keep running.*names: \[docker\.service\]"):
        compute(unit, running, set())
    (change,) = compute(unit, running, set(), [LI], "2026-12-31")
    assert change.impact == ("stops docker.service", "confirmed by Li Wei until 2026-12-31: CUDA 12.6")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("gpu1", "is expected to have host, names, by, reason, until and nothing else"),
        ({"host": "gpu1"}, "but names, by, reason, until is wrong"),
        ({**dataclasses.asdict(LI), "since": "x"}, "but since is wrong"),
        ({**dataclasses.asdict(LI), "until": "soon"}, "of gpu1 is expected to end on a day as 2026-12-31, but until is 'soon'"),
        ({**dataclasses.asdict(LI), "names": "docker.io"}, "names as a list, but it is 'docker.io': write [docker.io]"),
    ],
)
def test_a_confirmation_says_all_or_is_refused(entry: t.Any, sentence: str) -> None:
    with pytest.raises(PlanError, match=re.escape(sentence)):
        Confirmation.from_dict(entry)
