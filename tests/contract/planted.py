# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plants recognisable secrets, runs a role's playbook in the situations in which labs run it, and searches where nobody may find them.

That the search can see them is seen after the first run: each must be found where it is kept, in a file that not everybody can read.

A planted secret is a word of letters and digits among characters that JSON, Python's repr, URLs and shells write otherwise. The word
itself stays as it is in all of these, so that it is searched as it is, and as base64 writes it at each of the three places it can begin at.
"""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import typing as t

import yaml
from harness import NAMES, ROOT, SUDOER, Contract, Lab, _tool, commits, kill_all

# The word stands at each place: ansible-core masks what is before an @, and what it finds as it is.
AROUND = ("'\"\\", "\n\t", "@://u:p@%é", "A9")
PLACES = ("output", "journal", "logs", "files", "processes", "environment", "control node", "records and reports", "facts", "engine")
# The module that gets the secrets: a run is killed while this lies on a host.
WRITER = ROOT / "plugins" / "modules" / "files.py"
# What a name of a variable says of itself; "key" alone is mostly the name of a file.
SOUNDS_SECRET = re.compile(r"pass(word|phrase)|secret|token|credential|(^|_)key(s|ring)?$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Secret:
    """One variable of a role. C(without) are characters that what reads it cannot take, C(nowhere) that no file keeps it; C(because) says why."""

    name: str
    without: str = ""
    nowhere: bool = False
    because: str = ""
    value: t.Any = "PLANTED"  # of a variable that is more than one text: where the word goes

    @property
    def word(self) -> str:
        return "Xq7" + hashlib.sha256(self.name.encode()).hexdigest()[:5] + "Z"

    @property
    def text(self) -> str:
        return "".join(self.word + "".join(c for c in part if c not in self.without) for part in AROUND)

    @property
    def planted(self) -> t.Any:
        return _planted(self.value, self.text)


def _planted(value: t.Any, text: str) -> t.Any:
    if isinstance(value, dict):
        return {key: _planted(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [_planted(each, text) for each in value]
    return value.replace("PLANTED", text) if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True)
class Situation:
    config: str  # ours | stranger | none
    verbosity: str
    check: bool
    state: str  # again | drifted
    ending: str  # succeeds | fails | killed

    def __str__(self) -> str:
        return f"{self.config} {self.verbosity} {'dry' if self.check else 'real'} {self.state} {self.ending}"


def all_pairs() -> list[Situation]:
    """Few situations in which each two of their values meet, by taking again and again the one that adds most."""
    values = (("stranger", "none", "ours"), ("-vvvv", "-v"), (False, True), ("drifted", "again"), ("succeeds", "killed", "fails"))
    rows = [row for row in itertools.product(*values) if not (row[3] == "again" and row[4] == "killed")]  # nothing is written then
    pairs = {pair for row in rows for pair in itertools.combinations(enumerate(row), 2)}
    chosen: list[Situation] = []
    while pairs:
        best = max(rows, key=lambda row: len(pairs & set(itertools.combinations(enumerate(row), 2))))
        pairs -= set(itertools.combinations(enumerate(best), 2))
        chosen.append(Situation(*best))
    return chosen


def turn(situations: list[Situation], number: int) -> list[Situation]:
    """C(number) of the situations, others at each commit, so that a few commits in a row try them all."""
    start = commits() * number
    return [situations[(start + step) % len(situations)] for step in range(number)]


def needles(words: t.Iterable[str]) -> dict[str, list[str]]:
    """What each word looks like: itself, and inside of base64 (both alphabets write letters and digits alike)."""
    out = {}
    for word in words:
        forms = [word]
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + word.encode()).decode()
            whole = coded[(0, 2, 3)[before] :].rstrip("=")
            forms.append(whole[: len(whole) - 2])
        out[word] = forms
    return out


# On a host: what each place holds. Runs from stdin, so that no argument has what is searched.
_SEARCH = r"""
import bz2, glob, gzip, json, lzma, os, pwd, re, stat, subprocess, sys
asked = json.load(sys.stdin)
forms = {f.encode(): w for w, fs in asked['needles'].items() for f in fs}
pattern = re.compile(b'|'.join(re.escape(f) for f in forms))
bcrypt = re.compile(rb'\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}')
found = []
def look(place, where, data, hashes=True):
    for hit in sorted({forms[m.group(0)] for m in pattern.finditer(data)}):
        found.append([place, where, hit])
    if hashes and bcrypt.search(data):
        found.append([place, where, 'a bcrypt hash'])
def plain(path):
    with open(path, 'rb') as f:
        data = f.read(64 << 20)
    try:
        if data[:2] == b'\x1f\x8b': return gzip.decompress(data)
        if data[:6] == b'\xfd7zXZ\0': return lzma.decompress(data)
        if data[:3] == b'BZh': return bz2.decompress(data)
        if data[:4] == b'\x28\xb5\x2f\xfd': return subprocess.run(['zstdcat', path], capture_output=True).stdout
    except (OSError, EOFError, lzma.LZMAError): pass
    return data
journal = subprocess.run(['journalctl', '-a', '-o', 'export', '--since', '@%d' % asked['since']], capture_output=True).stdout
look('journal', 'journalctl -o export', journal)
def walk(place, top, private, bits=(0o077, 0o077)):
    for folder, folders, files in os.walk(top):
        folders[:] = [f for f in folders if os.path.join(folder, f) not in elsewhere]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode) or os.lstat(path).st_mtime < asked['since'] - 1: continue
                parts = [os.path.dirname(path)[:i] for i, c in enumerate(os.path.dirname(path) + '/') if c == '/' and i]
                hidden = os.lstat(path).st_mode & bits[0] == 0 or any(os.stat(p).st_mode & bits[1] == 0 for p in parts)
                look(private if private and hidden else place, path, plain(path), not (private == 'kept' and hidden))
            except OSError: continue
elsewhere = {'/var/log/journal'}  # asked of journalctl, which knows since when
walk('logs', '/var/log', '')
tops = ['/tmp', '/var/tmp', '/dev/shm', *{p.pw_dir + '/.ansible' for p in pwd.getpwall()}]
tops += ['/etc/ansible', '/var/lib/gpulab', '/var/lib/prometheus', '/run/gpulab']
for top in tops: walk('files', top, 'kept private')
# everything else: where secrets are kept, not everybody can read them
elsewhere |= {'/proc', '/sys', '/var/log', *tops}
walk('files', '/', 'kept', (0o004, 0o001))
json.dump(found, sys.stdout)
"""

# On a host, while a run goes on: arguments that everybody sees, and the environment that the owner and root see.
_WATCH = r"""
import json, os, re, sys, time
asked = json.loads(sys.stdin.readline())
forms = {f.encode(): w for w, fs in asked['needles'].items() for f in fs}
pattern = re.compile(b'|'.join(re.escape(f) for f in forms))
end = time.time() + 600
told = set()
while time.time() < end and not os.path.exists(asked['stop']):
    for pid in os.listdir('/proc'):
        if not pid.isdigit(): continue
        for part in ('cmdline', 'environ'):
            try:
                data = open('/proc/%s/%s' % (pid, part), 'rb').read()
                who = os.stat('/proc/' + pid).st_uid
                name = open('/proc/%s/comm' % pid).read().strip()
            except OSError: continue
            if part == 'cmdline' and asked['writer'].encode() in data and 'payload' not in told:
                told.add('payload'); print(json.dumps(['payload', '', '']), flush=True)
            for m in pattern.finditer(data):
                row = (('processes' if part == 'cmdline' else 'environment' if who else "root's environment"), name, forms[m.group(0)])
                if row not in told:
                    told.add(row); print(json.dumps(row), flush=True)
    time.sleep(0.02)
"""

_STRANGER = """[defaults]
collections_path = {root}/.collections
log_path = {home}/ansible.log
display_args_to_stdout = true
fact_caching = jsonfile
fact_caching_connection = {home}/facts
interpreter_python = auto_silent
callbacks_enabled = gpulab.expansion.run_record
[callback_run_record]
reports = {home}/reports
[connection]
pipelining = false
"""


class Watcher:
    """What the processes of a host show while a run goes on."""

    def __init__(self, lab: Lab, host: str, words: dict[str, list[str]]) -> None:
        self.rows: list[list[str]] = []
        self.host = host
        self._lab = lab
        self._stop = f"/dev/shm/.stop-{time.monotonic_ns()}"
        script = base64.b64encode(_WATCH.encode()).decode()
        start = f"import base64; exec(base64.b64decode('{script}'))"
        argv = ["docker", "exec", "-i", f"{lab.prefix}-{host}", "python3", "-B", "-c", start]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"needles": words, "stop": self._stop, "writer": f"AnsiballZ_{WRITER.stem}."}) + "\n")
        self._process.stdin.flush()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.rows.append(json.loads(line))

    def end(self) -> list[list[str]]:
        self._lab.sh(self.host, f"touch {self._stop}; sleep 0.2; rm -f {self._stop}")
        self._process.wait(20)
        self._thread.join(20)
        return [row for row in self.rows if row[0] != "payload"]


class Planted:
    """The secrets of a role, planted; C(data) is molecule/<role>/secrets.yml."""

    def __init__(self, contract: Contract, values: dict[str, t.Any]) -> None:
        self.lab = contract.lab
        self.subject = contract.subject
        self.data = data = read(self.subject.name)
        self.secrets = [Secret(name, **{**(spec or {}), **({"value": values[name]} if name in values else {})}) for name, spec in data["planted"].items()]
        self.words = needles(s.word for s in self.secrets)
        self.table: dict[str, dict[str, list[str]]] = {}
        self.left: list[str] = []  # directories of killed runs that a later run should have removed

    def variables(self) -> dict[str, t.Any]:
        return {s.name: s.planted for s in self.secrets}

    def run(self, situation: Situation, playbook: pathlib.Path, more: dict[str, t.Any] | None = None) -> tuple[int, str]:
        """One run, and what it left where; the hits go into the table."""
        before = time.time()
        undo = self._prepare(situation)
        with tempfile.TemporaryDirectory() as tmp:
            home = pathlib.Path(tmp)
            watchers = [Watcher(self.lab, host, self.words) for host in self.subject.hosts]
            try:
                rc, text = self._play(situation, playbook, home, watchers, more or {})
            finally:
                rows = [row for watcher in watchers for row in watcher.end()]
            hits = [(row[0], f"{row[1]}: {row[2]}") for row in rows] + self._control(home, text)
        for command in undo:
            self.lab.sh(*command)
        for host in self.subject.hosts:
            hits += [(place, f"{host} {where}: {word}") for place, where, word in self.search(host, before)]
        if "engine" in self.data:
            row = self.data["engine"]
            asked = self.lab.sh(row["host"], f"SINCE={int(before) * 1000}; {row['command']}")
            assert asked.stdout.startswith('{"took"'), asked.stdout[:400]
            hits += [("engine", word) for word in self.in_text(asked.stdout)]
        cells: dict[str, list[str]] = {}
        for place, told in hits:
            cells.setdefault(place, []).append(told)
        self.table[str(situation)] = cells
        return rc, text

    def search(self, host: str, since: float) -> list[list[str]]:
        asked = {"needles": self.words, "since": int(since) - 1}
        script = base64.b64encode(_SEARCH.encode()).decode()
        start = f"python3 -B -c \"import base64; exec(base64.b64decode('{script}'))\""
        found: list[list[str]] = json.loads(self.lab.sh(host, start, stdin=json.dumps(asked)).stdout)
        return found

    def _prepare(self, situation: Situation) -> list[tuple[str, str]]:
        """Bring the host into the state; returned is what puts back what a failing run needs."""
        if situation.state == "drifted":
            for row in self.data["drifts"]:
                self.lab.sh(row["host"], row["command"])
        if situation.ending == "fails":
            row = self.data["fails"]
            self.lab.sh(row["host"], row["command"])
            return [(row["host"], row["undo"])]
        return []

    def _play(self, situation: Situation, playbook: pathlib.Path, home: pathlib.Path, watchers: list[Watcher], more: dict[str, t.Any]) -> tuple[int, str]:
        variables = home / "variables.json"
        variables.write_text(json.dumps({**self.subject.variables, **self.variables(), **more}), encoding="utf-8")
        output = home / "output"
        env = {**self.lab.env, "ANSIBLE_HOME": str(home / "ansible"), "GPULAB_RECORD": str(home / "record"), "GPULAB_REPORTS": str(home / "reports")}
        inventories = [str(self.lab.inventory), str(NAMES)]
        if situation.config == "stranger":
            inventories.append(str(self.lab.by_ssh(self.subject.hosts, home)))
            (home / "ansible.cfg").write_text(_STRANGER.format(root=ROOT, home=home), encoding="utf-8")
            env["ANSIBLE_CONFIG"] = str(home / "ansible.cfg")
        elif situation.config == "none":
            (home / "none.cfg").touch()
            env.update(ANSIBLE_CONFIG=str(home / "none.cfg"), ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"))
        argv = [_tool("ansible-playbook"), *(word for path in inventories for word in ("-i", path)), str(playbook)]
        argv += ["-e", f"@{variables}", "--diff", situation.verbosity, *(["--check"] if situation.check else [])]
        with open(output, "w", encoding="utf-8") as out:
            process = subprocess.Popen(argv, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
            while process.poll() is None and situation.ending == "killed":
                written = any(row[0] == "payload" for watcher in watchers for row in watcher.rows)
                begun = re.search(self.data["kill_at"], output.read_text(encoding="utf-8", errors="replace"))
                if written or begun and (situation.config == "ours" or situation.check):
                    time.sleep(0 if written else 0.7)
                    kill_all(process, str(home))
                time.sleep(0.05)
            rc = process.wait()
        for path in (variables, home / "key", home / "key.pub", home / "ssh.json"):  # they are the test's own
            path.unlink(missing_ok=True)
        return rc, output.read_text(encoding="utf-8", errors="replace")

    def _control(self, home: pathlib.Path, text: str) -> list[tuple[str, str]]:
        places = {"record": "records and reports", "reports": "records and reports", "facts": "facts"}
        hits = [("output", row) for row in self.in_text(text)]
        for path in home.rglob("*"):
            if not path.is_file() or path.name == "output":
                continue
            top = path.relative_to(home).parts[0]
            private = top == "ansible" and any(parent.stat().st_mode & 0o077 == 0 for parent in path.parents if parent != home and home in parent.parents)
            place = "kept private" if private else places.get(top, "control node")
            hits += [(place, f"{path.relative_to(home)}: {row}") for row in self.in_text(path.read_text(encoding="utf-8", errors="replace"))]
        return hits

    def in_text(self, text: str) -> list[str]:
        found = [word for word, forms in self.words.items() if any(form in text for form in forms)]
        return found + (["a bcrypt hash"] if re.search(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", text) else [])

    def look_for_left(self, hosts: t.Iterable[str]) -> None:
        self.left += [f"{host} {line}" for host in hosts for line in self.lab.sh(host, _LEFT).stdout.splitlines()]

    def hits(self) -> list[str]:
        """What may be nowhere; a directory that only its owner can enter may hold what ansible-core left there."""
        allowed = ("kept", "kept private", "root's environment")
        found = [(f"{situation}: {place}", told) for situation, cells in self.table.items() for place, rows in cells.items() for told in rows]
        return [f"{where}: {told}" for where, told in found if not where.endswith(allowed)]

    def unseen(self) -> list[str]:
        """Secrets that are found nowhere, also where they are kept: then nothing shows that the search sees them."""
        kept = [told for cells in self.table.values() for told in cells.get("kept", [])]
        return [
            f"{s.name} is {'kept' if s.nowhere else 'not kept'} by a host" for s in self.secrets if s.nowhere == any(told.endswith(s.word) for told in kept)
        ]

    def report(self) -> str:
        places = [*PLACES, "kept", "kept private", "root's environment"]
        lines = [f"{len(self.secrets)} planted secrets: {', '.join(s.name for s in self.secrets)}", f"hits where none may be: {len(self.hits())}"]
        kept = sorted({told for cells in self.table.values() for told in cells.get("kept", [])})
        lines += ["kept by the hosts, where not everybody can read:", *(f"  {told}" for told in kept), *self.unseen(), ""]
        lines.append(" | ".join(["situation".ljust(40), *places]))
        for situation, cells in self.table.items():
            lines.append(" | ".join([situation.ljust(40), *(str(len(cells.get(place, []))).rjust(len(place)) for place in places)]))
        return "\n".join([*lines, "", *sorted(set(self.hits()))]) + "\n"


def read(role: str) -> dict[str, t.Any]:
    path = ROOT / "molecule" / role / "secrets.yml"
    return t.cast("dict[str, t.Any]", yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {})


_PLACES = f"/tmp/.ansible /home/{SUDOER}/.ansible/tmp /root/.ansible/tmp"
_AGED = f"find {_PLACES} -maxdepth 1 -name 'ansible-tmp-*' -exec touch -d '1 hour ago' {{}} + 2>/dev/null; true"
_LEFT = f"find {_PLACES} -maxdepth 1 -name 'ansible-tmp-*' 2>/dev/null; true"


def _each(lab: Lab, hosts: list[str], command: str) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: lab.sh(host, command), hosts))


def tried(contract: Contract, by_turns: int = 1, values: dict[str, t.Any] | None = None) -> Planted:
    """Plant, and try some situations (all of them in the soak); the report is reports/secrets-<role>.txt. The hosts keep what is planted.

    C(values) are of variables that are made when the test runs, with PLANTED where the word goes.
    """
    planted = Planted(contract, values or {})
    lab, hosts, playbook = contract.lab, contract.subject.hosts, contract.subject.playbook
    begin = planted.data.get("begin") or {}
    first = Situation("stranger", "-vvvv", False, "first", "succeeds")
    turns = all_pairs() if os.environ.get("SOAK") else turn(all_pairs(), by_turns)
    # with it, each option of a module is a field of the journal; and as if a run had been killed here before
    _each(lab, hosts, "apt-get -qq update && apt-get -qq install -y --no-install-recommends python3-systemd >/dev/null 2>&1")
    with tempfile.TemporaryDirectory() as folder:
        lab.by_ssh(hosts, pathlib.Path(folder))
    home = f"/home/{SUDOER}/.ansible/tmp"
    _each(lab, hosts, f"su {SUDOER} -c 'umask 077; mkdir -p {home}/ansible-tmp-1.1-1-1'; {_AGED}")
    start = ROOT / "playbooks" / begin["playbook"] if begin else playbook
    try:
        rc, text = planted.run(first, start, begin.get("variables"))
        assert rc == 0, text[-4000:]
        planted.look_for_left(hosts)
        for situation in turns:
            rc, text = planted.run(situation, playbook)
            assert (rc == 0) == (situation.ending == "succeeds"), f"{situation} ended with {rc}: {text[-4000:]}"
        if any(situation.ending == "killed" for situation in turns):
            _each(lab, hosts, _AGED)
            again = planted.run(Situation("stranger", "-v", False, "again", "succeeds"), playbook)
            assert again[0] == 0, again[1][-4000:]
            planted.look_for_left(hosts)
    finally:
        report = planted.report()
        (ROOT / "reports").mkdir(exist_ok=True)
        (ROOT / "reports" / f"secrets-{contract.subject.name}.txt").write_text(report, encoding="utf-8")
    return planted
