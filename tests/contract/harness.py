# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes a role through its states and compares what its dry runs say with what then happens.

Levels (docs/dry-run.md): L0 a dry run writes nothing; L1 what it predicts to change is what changes; L2 each value it
predicts is the value found, and each unknown gets a value; L3 afterwards nothing is left to change.
Reality is read here with other means than the collection's own reader.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import fnmatch
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import typing as t

import jsonschema
import pytest
import yaml
from lived_in import BUSY, HOOKED, LIVEABLE
from shown import AT_TIMES, Difference, Noise, Shown, World, empty_promises, silent

ROOT = pathlib.Path(__file__).resolve().parents[2]
READER = pathlib.Path(__file__).with_name("host_reader.py")
SCHEMA = json.loads((ROOT / "docs" / "prediction.schema.json").read_text(encoding="utf-8"))
FRESH_SECONDS = 10  # a look is good for that long, where nothing was done meanwhile
AT_HOME = (ROOT, pathlib.Path.home() / ".ssh")  # what a dry run must leave alone on the control node
NAMES = ROOT / "inventories" / "box" / "names.yml"  # its folder has the box's group_vars, too
UNKNOWN = "__unknown__"
SUDOER = "lab-admin"  # who logs in where a test comes by ssh
LIVES = {HOOKED: AT_TIMES + "somebody's hooks of APT"}
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]  # as molecule/box/box.py has it

# What one run of the tests tries of a role beside bare and converged: three commits in a row try all of it, and the soak all at once.
STATES = ("drifted", "input_changed", "engine_down", "interrupted")
TURNS = (("drifted", "engine_down"), ("input_changed", "engine_down"), ("drifted", "interrupted"))

soak = pytest.mark.skipif(not os.environ.get("SOAK"), reason="one of each class is tried in every test, all of them in the soak")
by_turns = pytest.mark.by_turns  # of long tests with the same class, each commit tries another one

_REALITY = r"""
import grp, hashlib, json, os, pwd, stat, subprocess, sys
def path(p):
    if not os.path.lexists(p): return None
    i = os.lstat(p)
    r = {'type': 'directory' if stat.S_ISDIR(i.st_mode) else 'file', 'mode': format(stat.S_IMODE(i.st_mode), '04o'),
         'owner': pwd.getpwuid(i.st_uid).pw_name, 'group': grp.getgrgid(i.st_gid).gr_name}
    if stat.S_ISREG(i.st_mode): r['sha256'] = subprocess.run(['sha256sum', p], capture_output=True, text=True).stdout.split()[0]
    return r
def unit(u):
    ask = lambda verb: subprocess.run(['systemctl', verb, u], capture_output=True, text=True).stdout.strip()
    a = ask('is-active')
    return {'active': 'active' if a in ('active', 'activating') else 'inactive', 'enabled': ask('is-enabled'), 'need_daemon_reload': False, 'since': True}
def packages(names):
    def version(n):
        r = subprocess.run(['dpkg', '-s', n], capture_output=True, text=True)
        return next((l.split(': ')[1] for l in r.stdout.splitlines() if l.startswith('Version:')), None) if 'Status: install ok installed' in r.stdout else None
    return {'packages': {n: version(n) for n in names}}
def user(n):
    u = subprocess.run(['getent', 'passwd', n], capture_output=True, text=True).stdout.strip().split(':')
    return {'comment': u[4], 'home': u[5], 'shell': u[6], 'uid': int(u[2]), 'group': grp.getgrgid(int(u[3])).gr_name}
def marker(role):
    return json.load(open('/etc/ansible/facts.d/gpulab_' + role + '.fact'))
def ssh_key(p):
    r = path(p + '.pub')
    derived = subprocess.run(['ssh-keygen', '-y', '-f', p], capture_output=True, text=True).stdout.split()[:2]
    return {'mode': path(p)['mode'], 'public_key': r['sha256'] if derived == open(p + '.pub').read().split()[:2] else 'of another key'}
def declared(command, key):
    r = subprocess.run(['sh', '-c', command, 'sh', key], capture_output=True, text=True)
    return json.loads(r.stdout) if r.returncode == 0 else {'unread': r.stderr}
def env(p, names):
    argv = [p + '/bin/python', '-B', '-m', 'pip', 'list', '--format', 'json', '--disable-pip-version-check']
    r = json.loads(subprocess.run(argv, capture_output=True, text=True).stdout)
    return {'distributions': {d['name'].lower().replace('_', '-'): d['version'] for d in r}}
out = []
asked = json.load(sys.stdin)
for kind, key, after in asked['changes']:
    if kind in ('file', 'directory', 'download', 'repository', 'private_key', 'certificate_request', 'certificate'): r = path(key)
    elif kind == 'unit': r = unit(key)
    elif kind == 'packages': r = packages(after.get('packages', {})); r['dpkg'] = 'interrupted' if os.listdir('/var/lib/dpkg/updates') else 'complete'
    elif kind == 'user': r = user(key)
    elif kind == 'python_env': r = env(key, after)
    elif kind in ('leftover', 'absent'): r = {'present': os.path.exists(key)}
    elif kind == 'deployed_marker': r = marker(key)
    elif kind == 'ssh_key': r = ssh_key(key)
    elif kind in asked['readers']: r = declared(asked['readers'][kind], key)
    else: r = 'nobody reads it'
    out.append(r)
json.dump(out, sys.stdout)
"""


_SUDOER = f"""
command -v sshd >/dev/null || {{ apt-get -qq update && apt-get -qq install -y --no-install-recommends openssh-server; }} >/dev/null 2>&1
id {SUDOER} >/dev/null 2>&1 || useradd -m -s /bin/bash {SUDOER}
install -d -m 700 -o {SUDOER} -g {SUDOER} /home/{SUDOER}/.ssh
cat > /home/{SUDOER}/.ssh/authorized_keys
echo '{SUDOER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{SUDOER}
systemctl start ssh
"""


@dataclasses.dataclass
class Disagreement:
    state: str
    level: str
    text: str

    def __str__(self) -> str:
        return f"{self.state} {self.level}: {self.text}"


@dataclasses.dataclass
class Run:
    """One ansible-playbook: its exit status, what it printed, and the records of the callback."""

    rc: int
    output: str
    records: list[dict[str, t.Any]]
    seconds: float

    def changed(self) -> collections.Counter[tuple[t.Any, ...]]:
        return collections.Counter((r["host"], r["role"], _short(r["place"]), r["occurrence"], r["handler"]) for r in self.records if r["changed"])

    def changes(self) -> dict[tuple[str, str, str], dict[str, t.Any]]:
        """The changed things: (host, kind, key) -> prediction. A changed task without a prediction has none to compare."""
        return {(r["host"], p["kind"], p["key"]): p for r in self.records if r["changed"] for p in r["prediction"] or []}


def _short(place: str) -> str:
    return place.replace(str(ROOT) + "/", "").replace("ansible_collections/gpulab/expansion/", "")


def commits() -> int:
    """How many commits lead to this one: what is tried by turns goes on with each. C(TURN) asks for the turn of another one."""
    if "TURN" in os.environ:
        return int(os.environ["TURN"])
    argv = ["git", "rev-list", "--count", "HEAD"]
    return int(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False).stdout or 0)


def states_of(role: str, number: int, soak: bool) -> tuple[str, ...]:
    """The states that commit C(number) tries of a role; not the same ones of all roles, so that each commit takes about as long."""
    if soak:
        return STATES
    return TURNS[(number + _roles().index(role)) % len(TURNS)]


def lives(role: str, number: int, soak: bool) -> bool:
    """Whether commit C(number) tries C(role) on hosts that somebody lives on: one role each, because they are made for it alone."""
    return soak or _roles()[number % len(_roles())] == role


def _roles() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "molecule").glob("*/contract.yml"))


def turned(classes: t.Sequence[str], number: int) -> list[bool]:
    """Of long tests, given by their classes ("" takes no turns), which ones commit C(number) tries: one of each class."""
    places = [classes[:at].count(name) for at, name in enumerate(classes)]
    return [not name or place == number % classes.count(name) for name, place in zip(classes, places)]


@dataclasses.dataclass
class Subject:
    """A role under test: molecule/<role>/contract.yml."""

    name: str
    playbook: pathlib.Path
    hosts: list[str]
    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    drifts: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    changed: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    kills: list[dict[str, str]] = dataclasses.field(default_factory=list)  # the first always, the others in the soak
    awake: dict[str, str] = dataclasses.field(default_factory=dict)  # host -> what to wait for when its power is back: its services start by themselves
    unreachable: dict[str, str] = dataclasses.field(default_factory=dict)
    moving: dict[str, str] = dataclasses.field(default_factory=dict)  # path pattern -> why
    moving_units: dict[str, str] = dataclasses.field(default_factory=dict)  # unit pattern -> why
    brings: dict[str, str] = dataclasses.field(default_factory=dict)  # path or key pattern -> which script of a package makes it
    unknown: list[str] = dataclasses.field(default_factory=list)  # kind/key/leaf:reason, as patterns
    secrets: list[str] = dataclasses.field(default_factory=list)  # must never be seen in an output, a record or a journal
    readers: dict[str, str] = dataclasses.field(default_factory=dict)  # kind -> shell command on the host that prints a tree for the key $1
    others: list[str] = dataclasses.field(default_factory=list)  # engines that are not under test, as oss
    already: dict[str, str] = dataclasses.field(default_factory=dict)  # host -> shell commands that bring what the lab has before the role

    @classmethod
    def load(cls, path: pathlib.Path) -> Subject:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return cls(name=path.parent.name, playbook=path.parent / "converge.yml", **data)


def kill_all(process: subprocess.Popen[bytes], mark: str) -> None:
    """Ansible's workers have sessions of their own, and would go on where the hosts are up again; C(mark) is in the environment of each."""
    os.killpg(process.pid, signal.SIGKILL)
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
        except OSError:
            continue  # it has just ended


class Lab:
    """Test hosts of a prefix of their own, and what is done to them."""

    def __init__(self, name: str, inventory: pathlib.Path = ROOT / "inventories" / "box" / "hosts.yml") -> None:
        self.name = name
        self.prefix = f"{name}-{CHECKOUT}"
        self.inventory = inventory
        self.env = {**os.environ, "BOX_PREFIX": name, "BOX_CHECKOUT": CHECKOUT, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        self.watched = AT_HOME
        self.acts = 0  # what was done to the hosts, so that a look is taken anew after it
        self.looks: list[float] = []  # seconds of each look at a host
        self._details: dict[str, dict[tuple[str, int], dict[str, t.Any]]] = {}  # of the files of each host, by path and time of change
        self._newest: dict[str, int] = {}
        self.more: list[pathlib.Path] = []  # inventories that are read after the lab's own
        self.env.pop("ANSIBLE_FORCE_COLOR", None)  # molecule sets it, and it breaks JSON on the terminal

    def box(self, *argv: str) -> None:
        self.acts += 1
        subprocess.run([_python(), str(ROOT / "molecule" / "box" / "box.py"), *argv], env=self.env, check=True)

    def by_ssh(self, hosts: t.Iterable[str], folder: pathlib.Path) -> pathlib.Path:
        """An inventory to read after the others: a user with sudo comes by ssh, and everything else is ansible-core's default. Its key is in C(folder)."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
        key = (folder / "key.pub").read_text(encoding="ascii")
        common = {"ansible_connection": "ssh", "ansible_user": SUDOER, "ansible_become": True, "ansible_remote_tmp": "~/.ansible/tmp"}
        options = f"-i {folder}/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
        rows = {}
        for host in hosts:
            self.sh(host, _SUDOER, stdin=key)
            address = self.sh(host, "hostname -i").stdout.split()[0]
            rows[host] = {**common, "ansible_host": address, "ansible_ssh_common_args": options}
        path = folder / "ssh.json"
        path.write_text(json.dumps({"all": {"hosts": rows}}), encoding="ascii")
        return path

    def sh(self, host: str, command: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        self.acts += 1
        argv = ["docker", "exec", "-i", f"{self.prefix}-{host}", "sh", "-c", command]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=check)

    def play(self, playbook: pathlib.Path, check: bool = False, variables: dict[str, t.Any] | None = None, kill: dict[str, t.Any] | None = None) -> Run:
        self.acts += 1
        with tempfile.TemporaryDirectory() as tmp:
            record = pathlib.Path(tmp) / "record"
            env = {**self.env, "GPULAB_RECORD": str(record), "GPULAB_REPORTS": tmp}
            inventories = [word for path in (self.inventory, NAMES, *self.more) for word in ("-i", str(path))]
            argv = [_tool("ansible-playbook"), *inventories, str(playbook), "-e", json.dumps(variables or {})]
            started = time.monotonic()
            with open(pathlib.Path(tmp) / "output", "w+", encoding="utf-8") as output:
                process = subprocess.Popen(
                    argv + (["--check", "--diff"] if check else []),
                    env=env,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
                if kill:
                    self._kill_when(process, kill, mark=str(record))
                rc = process.wait()
                output.seek(0)
                text = output.read()
            lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
            return Run(rc, text, [json.loads(line) for line in lines], time.monotonic() - started)

    def _kill_when(self, process: subprocess.Popen[bytes], kill: dict[str, t.Any], mark: str) -> None:
        """Power failure: the control node's process and all hosts die at the moment when the shell condition holds on one of them."""
        while process.poll() is None:
            if self.sh(kill["host"], kill["when"], check=False).returncode == 0:
                kill_all(process, mark)
                subprocess.run(["docker", "kill", *(f"{self.prefix}-{host}" for host in kill["all"])], check=True, capture_output=True)
                self.box("up", *kill["all"])
                for host, command in kill["awake"].items():
                    self.sh(host, f"timeout 180 sh -c '{command}'", check=False)
                return
            time.sleep(0.05)
        raise AssertionError(f"the condition to kill at never held on {kill['host']}: {kill['when']}")

    def manifest(self, hosts: t.Iterable[str]) -> dict[str, Shown]:
        """What each host shows, and the control node: key -> attributes."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            out = dict(pool.map(lambda host: (host, self._manifest(host)), hosts))
        return {**out, "control node": control_node(self.watched)}

    def _manifest(self, host: str) -> Shown:
        began = time.monotonic()
        read, newest = self._details.setdefault(host, {}), self._newest.get(host, 0)
        argv = ["docker", "exec", "-i", "-e", f"SINCE={newest}", f"{self.prefix}-{host}", "python3", "-B", "-"]
        done = subprocess.run(argv, input=READER.read_text(encoding="utf-8"), capture_output=True, text=True, check=True)
        out: Shown = json.loads(done.stdout)
        for path, thing in out.items():
            if not path.startswith("/"):
                continue
            if "details" in thing:
                read[path, thing["ctime"]] = thing["details"]
            elif (path, thing["ctime"]) in read:
                thing["details"] = read[path, thing["ctime"]]
            newest = max(newest, thing["ctime"])
        self._newest[host] = newest
        self.looks.append(time.monotonic() - began)
        return out

    def files_of(self, host: str, packages: t.Iterable[str]) -> set[str]:
        """What dpkg lists, at the places where it is: /lib is a link to /usr/lib."""
        names = " ".join(f"/var/lib/dpkg/info/{name}.list /var/lib/dpkg/info/{name}:*.list" for name in packages)
        listed = self.sh(host, f"cat {names} 2>/dev/null", check=False).stdout.splitlines()
        return {"/usr" + path if path.split("/")[1] in ("bin", "lib", "lib32", "lib64", "sbin") else path for path in listed}

    def reality(self, host: str, changes: list[tuple[str, str, dict[str, t.Any]]], readers: dict[str, str]) -> list[t.Any]:
        acts = self.acts
        asked = json.dumps({"changes": changes, "readers": readers})
        found = json.loads(self.sh(host, "python3 -B -", stdin=_REALITY.replace("json.load(sys.stdin)", f"json.loads({asked!r})")).stdout)
        self.acts = acts  # it only reads
        return t.cast("list[t.Any]", found)


def _python() -> str:
    return _tool("python")


def _tool(name: str) -> str:
    beside = ROOT / ".venv" / "bin" / name
    return str(beside) if beside.exists() else name


def control_node(places: t.Iterable[pathlib.Path]) -> Shown:
    """What lies in these places, without caches of the tools that run this."""
    out: Shown = {}
    # caches, and what other tests of the same checkout write meanwhile
    skip = {".git", ".venv", ".nox", "reports", ".cache", ".pytest_cache", "__pycache__", ".mypy_cache", ".ruff_cache", ".ansible", ".hypothesis", "accepted"}
    for top in places:
        for folder, folders, files in os.walk(top):
            folders[:] = [f for f in folders if f not in skip]
            for name in files:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                out[path] = {"mode": info.st_mode, "uid": 0, "gid": 0, "links": 1, "size": info.st_size, "mtime": info.st_mtime_ns, "ctime": info.st_mtime_ns}
    return out


class Contract:
    """The states of one role, in an order that converges it as seldom as possible."""

    def __init__(self, subject: Subject, lab: Lab) -> None:
        self.subject = subject
        self.lab = lab
        self.disagreements: list[Disagreement] = []
        self.unknown_used: set[str] = set()
        self.unknown_leaves = 0
        self.compared = 0
        self.lines: list[str] = []
        self.tried: list[str] = []
        self.whole = True  # then what was never needed is needed nowhere
        self.variables = dict(subject.variables)
        self.noise = Noise({**subject.moving, **LIVES}, {**subject.moving_units, BUSY: AT_TIMES + "somebody's unattended upgrades"}, subject.brings)
        self._last: tuple[int, float, dict[str, Shown]] | None = None

    # -- steps

    def fresh(self) -> None:
        """Hosts on which nobody has run the role."""
        self.lab.more = []
        self.lab.box("fresh", *self.subject.hosts, *self.subject.others)
        for host, commands in self.subject.already.items():
            self.lab.sh(host, commands)

    def look(self) -> dict[str, Shown]:
        """What the hosts show; the last look, when nothing was done to them since and it is fresh."""
        hosts = [*self.subject.hosts, *(h for h in self.subject.others if h != "oss")]
        if self._last is None or self._last[0] != self.lab.acts or time.monotonic() - self._last[1] > FRESH_SECONDS:
            shown = self.lab.manifest(hosts)
            self._last = (self.lab.acts, time.monotonic(), shown)
        return self._last[2]

    def dry_run(self, state: str, expect_failure: bool = False) -> Run:
        before = self.look()
        run = self.lab.play(self.subject.playbook, check=True, variables=self.variables)
        after = self.look()
        for host, path, what in self.written(before, after):
            self._disagree(state, "L0", f"{host}: the dry run {what} {path}")
        if run.rc and not expect_failure:
            self._disagree(state, "L1", f"the dry run failed: {_why(run)}")
        self._secrets_stay_secret(state, run)
        return run

    def apply(self, state: str, dry: Run | None = None, kill: dict[str, str] | None = None) -> Run:
        """With the dry run before it, what the hosts show afterwards is compared with what that one predicted."""
        before = self.look() if dry else {}
        run = self.lab.play(self.subject.playbook, variables=self.variables, kill=kill and {**kill, "all": self.subject.hosts, "awake": self.subject.awake})
        if run.rc and not kill:
            self._disagree(state, "L1", f"the run failed: {_why(run)}")
        elif dry:
            self.compare(state, before, self.look(), dry)
        self._secrets_stay_secret(state, run)
        return run

    def compare(self, state: str, before: dict[str, Shown], after: dict[str, Shown], dry: Run) -> None:
        """Each difference was predicted, and each prediction is a difference."""
        for host, shown in before.items():
            predictions = [p for r in dry.records if r["host"] == host and r["changed"] for p in r["prediction"] or []]
            world = World(shown, after[host], self.noise)
            came = world.came()
            if came:
                acts = self.lab.acts
                world.packaged = self.lab.files_of(host, came)
                self.lab.acts = acts  # it only reads
            for difference in silent(world, predictions):
                self._disagree(state, "L1" if difference.what != "changed" else "L2", f"{host}: the run {_did(difference)}, but that was not predicted")
            for sentence in empty_promises(world, predictions):
                self._disagree(state, "L2", f"{host}: {sentence}")

    def agree(self, state: str, dry: Run, real: Run) -> None:
        """L1 and L2."""
        for record in [*dry.records, *real.records]:
            if record["prediction"] is not None:
                jsonschema.validate(record["prediction"], SCHEMA)
        if real.rc:
            return
        for key in (dry.changed() - real.changed()) + (real.changed() - dry.changed()):
            said = "changes, but was not predicted" if key in real.changed() else "was predicted, but does not change"
            self._disagree(state, "L1", f"task {key} {said}")
        predicted, done = dry.changes(), real.changes()
        for key in sorted(set(predicted) ^ set(done)):
            self._disagree(state, "L1", f"{' '.join(key)} {'was predicted, but does not change' if key in predicted else 'changes, but was not predicted'}")
        by_host: dict[str, list[tuple[str, str, dict[str, t.Any]]]] = collections.defaultdict(list)
        for host, kind, key in sorted(set(predicted) & set(done)):
            by_host[host].append((kind, key, predicted[host, kind, key]["after"]))
        for host, changes in by_host.items():
            for (kind, key, after), real_tree in zip(changes, self.lab.reality(host, changes, self.subject.readers)):
                if real_tree == "nobody reads it":
                    self._disagree(state, "L2", f"{host} {kind} {key}: nobody but the collection reads it: declare a reader")
                self._leaves(state, f"{host} {kind} {key}", f"{kind}/{key}", after, real_tree, done[host, kind, key]["after"])

    def settled(self, state: str) -> None:
        """L3."""
        dry = self.dry_run(state)
        for run, what in ((dry, "the next dry run predicts"), (self.apply(state, dry), "the next run changes")):
            for key in run.changed():
                self._disagree(state, "L3", f"{what} task {key}: {sorted(run.changes())}")

    # -- states

    def states(self, names: t.Sequence[str], lived_in: bool) -> None:
        """Bare, converged and these; then the hosts are as the subject's variables say."""
        self.whole = {*STATES} == {*names}
        if lived_in:
            self.lived_in()
            self.tried.append("lived-in")
        self.fresh()
        for name in ("bare", *names):
            getattr(self, name)()
            self.tried.append(name.replace("_", "-"))
        if self.variables != self.subject.variables:
            self.variables = dict(self.subject.variables)
            self.change("changed back")
        self.secrets_in_journals()

    def bare(self) -> None:
        dry = self.dry_run("bare")
        real = self.apply("bare", dry)
        self.agree("bare", dry, real)
        self._say("bare", dry, real)
        self.settled("converged")

    def lived_in(self) -> None:
        """Bare, but for what real hosts have; and a user with sudo comes by ssh, with ansible-core's defaults."""
        self.fresh()
        with tempfile.TemporaryDirectory() as folder:
            self.lab.more = [self.lab.by_ssh(self.subject.hosts, pathlib.Path(folder))]
            for host in self.subject.hosts:
                for habit, command in LIVEABLE.items():
                    done = self.lab.sh(host, command, check=False)
                    assert not done.returncode, (host, habit, done.stderr)
                self.lab.sh(host, f"truncate -s 0 {HOOKED}")
            dry = self.dry_run("lived-in")
            for host in self.subject.hosts:
                hooked = self.lab.sh(host, f"cat {HOOKED}").stdout
                if hooked:
                    self._disagree("lived-in", "L0", f"{host}: the dry run executed hooks of APT: {hooked.split()}")
            real = self.apply("lived-in", dry)
            self.agree("lived-in", dry, real)
            self._say("lived-in", dry, real)
            self.settled("lived-in, converged")
            self.lab.more = []

    def drifted(self) -> None:
        expected = set()
        for drift in self.subject.drifts:
            self.lab.sh(drift["host"], drift["command"])
            expected |= {(drift["host"], *e.split(" ", 1)) for e in drift["expect"]}
        dry = self.dry_run("drifted")
        if set(dry.changes()) != expected:
            self._disagree("drifted", "L1", f"expected to be named {sorted(expected)}, but named are {sorted(dry.changes())}")
        real = self.apply("drifted", dry)
        self.agree("drifted", dry, real)
        self._say("drifted", dry, real)

    def input_changed(self) -> None:
        self.variables.update(self.subject.changed)
        self.change("changed")
        if os.environ.get("SOAK"):  # what is bare, and what was interrupted, settles in every test
            self.settled("changed")

    def change(self, state: str) -> None:
        dry = self.dry_run(state)
        if not dry.changed():
            self._disagree(state, "L1", "a changed input is expected to be predicted, but nothing is")
        real = self.apply(state, dry)
        self.agree(state, dry, real)
        self._say(state, dry, real)

    def engine_down(self) -> None:
        """With its engine out of reach a dry run must fail: to predict "create" would be a guess."""
        if not self.subject.unreachable:
            return
        self.lab.sh(self.subject.unreachable["host"], self.subject.unreachable["down"])
        dry = self.dry_run("engine down", expect_failure=True)
        self.lab.sh(self.subject.unreachable["host"], self.subject.unreachable["up"])
        if not dry.rc:
            self._disagree("engine down", "L1", f"a dry run is expected to fail, but predicts {sorted(dry.changes())}")

    def interrupted(self) -> None:
        self.variables = dict(self.subject.variables)
        for kill in self.subject.kills if os.environ.get("SOAK") else self.subject.kills[:1]:
            state = f"interrupted when {kill['when']}"
            self.fresh()
            self.apply(state, kill=kill)
            dry = self.dry_run(state)
            real = self.apply(state, dry)
            self.agree(state, dry, real)
            self._say(state, dry, real)
            self.settled(state)

    # -- report

    def report(self) -> str:
        unused = sorted(set(self.subject.unknown) - self.unknown_used)
        for pattern in unused if self.whole else []:
            self._disagree("all", "L2", f"the allowed unknown {pattern} was never needed: remove it")
        for pattern in self.noise.unused(own=True) if self.whole else []:
            self._disagree("all", "L0", f"{pattern} is said to move by itself or to be brought, but never was: remove it")
        looks = self.lab.looks or [0.0]
        lines = [f"Contract of {self.subject.name}", f"tried: {', '.join(self.tried)}", *self.lines]
        lines.append(f"{len(looks)} looks at a host, {sum(looks) / len(looks):.2f} s each")
        lines.append(f"  of the common list nothing needed: {', '.join(self.noise.unused(own=False))}")
        lines.append(f"leaves compared {self.compared}, unknown {self.unknown_leaves}, disagreements {len(self.disagreements)}")
        lines += [f"  {path} moves by itself: {why}" for path, why in self.subject.moving.items()]
        return "\n".join(lines + [f"  DISAGREEMENT {d}" for d in self.disagreements])

    # -- helpers

    def _secrets_stay_secret(self, state: str, run: Run) -> None:
        for secret in self.subject.secrets:
            if secret in run.output or secret in json.dumps(run.records):
                self._disagree(state, "secret", f"{secret[:4]}… is in the output of the run")

    def secrets_in_journals(self) -> None:
        for host in self.subject.hosts:
            journal = self.lab.sh(host, "journalctl --no-pager -o cat").stdout
            for secret in self.subject.secrets:
                if secret in journal:
                    self._disagree("all", "secret", f"{secret[:4]}… is in the journal of {host}")

    def _say(self, state: str, dry: Run, real: Run) -> None:
        self.lines.append(f"{state}: dry run {dry.seconds:.1f} s, {len(dry.changes())} changes predicted, run {real.seconds:.1f} s")

    def _disagree(self, state: str, level: str, text: str) -> None:
        self.disagreements.append(Disagreement(state, level, text))

    def written(self, before: dict[str, Shown], after: dict[str, Shown]) -> t.Iterator[tuple[str, str, str]]:
        """What differs though nothing was to change: host, key, what was done to it."""
        for host, old in before.items():
            for difference in silent(World(old, after[host], self.noise), []):
                yield host, difference.key, _VERBS[difference.what]

    def _leaves(self, state: str, what: str, pattern: str, planned: dict[str, t.Any], real: t.Any, recorded: dict[str, t.Any]) -> None:
        for name, value in planned.items():
            found = real.get(name) if isinstance(real, dict) else None
            written = recorded.get(name) if isinstance(recorded, dict) else None
            if isinstance(value, dict) and set(value) == {UNKNOWN}:
                self.unknown_leaves += 1
                leaf = f"{pattern}/{name}:{value[UNKNOWN]}"
                allowed = [p for p in self.subject.unknown if fnmatch.fnmatch(leaf, p)]
                self.unknown_used |= set(allowed)
                if not allowed:
                    self._disagree(state, "L2", f"{what}: {leaf} is unknown, which is not allowed for this role")
                if found is None and written is None:
                    self._disagree(state, "L2", f"{what}: {name} was unknown ({value[UNKNOWN]}) and is not set afterwards")
            elif isinstance(value, dict):
                self._leaves(state, what, f"{pattern}/{name}", value, found, written or {})
            else:
                self.compared += 1
                if found != value:
                    self._disagree(state, "L2", f"{what}: {name} was predicted as {value!r}, but is {found!r}")


_VERBS = {"made": "made", "removed": "removed", "changed": "wrote"}


def _did(difference: Difference) -> str:
    leaves = ", ".join(difference.leaves)
    return f"changed {leaves} of {difference.key}" if difference.what == "changed" else f"{difference.what} {difference.key} ({leaves})"


def _why(run: Run) -> str:
    failed = [f"{r['host']}: {r['task']}: {r['message']}" for r in run.records if r["failed"]]
    return "; ".join(failed) or run.output[-800:]
