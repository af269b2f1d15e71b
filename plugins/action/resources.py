# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import functools
import itertools
import os
import time
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import generate_ansible_template_vars, trust_as_template

from ..module_utils._host import POLICY_RC_D, POLICY_RC_D_MARK
from ..module_utils._prediction import RESULT_KEY, unknown_text
from ..module_utils._sealed import without_login
from ..plugin_utils._actions import HostAction
from ..plugin_utils._resources.base import Change, Confirmation, PlanError, Resource, Seen, Step
from ..plugin_utils._resources.files import File
from ..plugin_utils._resources.plan import KINDS, compute, foresee, query, real_after
from ..plugin_utils._resources.programs import Programs, imported
from ..plugin_utils._sweep import sweep

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_ITEM_KEYS = {"when", "loop"}
APT_LOCK_SECONDS = 600  # as long as unattended upgrades may take
_POLICY = f"#!/bin/sh\n# {POLICY_RC_D_MARK}\nexit 101\n"


class ActionModule(HostAction):
    """plan = desired - observed, from one read; check mode returns the plan, a real run executes it and reads back."""

    @classmethod
    def finalize_task_arg(cls, name: str, value: t.Any, templar: t.Any, context: t.Any) -> t.Any:
        # the list stays raw: each resource is templated with its own loop item, and only when its condition holds
        return value if name == "list" and isinstance(value, list) else super().finalize_task_arg(name, value, templar, context)

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        if set(self._task.args) != {"list"}:
            raise AnsibleActionFail(f"resources: list is expected and nothing else, got {', '.join(sorted(self._task.args)) or 'nothing'}.")
        self._origins: list[t.Any] = []
        resources = self._resources(self._task.args["list"])
        wanted = query(resources)
        foreseen = self._ledger.foreseen(self._host) if self._task.check_mode else []
        if wanted["simulate"]["install"]:
            # a source that an earlier list would add has the package, perhaps
            sources = {path: text for p in foreseen for path, text in p["sources"].items()}
            wanted["simulate"]["sources"] = {**sources, **wanted["simulate"]["sources"]}
        seen = foresee(self._observe(wanted), foreseen)
        self._ledger.note_markers(self._host, seen["markers"])
        changes = self._compute(resources, seen)
        self._probe([url for c in changes for url in c.resource.urls()])
        predictions = [c.as_prediction() for c in changes]
        if self._task.check_mode:
            self._ledger.add(self._host, {thing for c in changes for thing in c.brings()})
            self._ledger.foresee(self._host, [{**p, "sources": c.resource.sources()} for p, c in zip(predictions, changes)])
        else:
            sweep(constants.DEFAULT_LOCAL_TMP, time.time())
        if changes and not self._task.check_mode:
            self._apply(changes)
            transaction = [name for c in changes for name in c.after.get("packages", {})]
            seen = self._observe({**wanted, "packages": [*wanted["packages"], *transaction], "simulate": {}})
            self._check(resources, changes, {**seen, "simulation": None})
            predictions = [{**p, "after": real_after(c, seen)} for p, c in zip(predictions, changes)]
        result.update(changed=bool(changes), now=seen["now"], values=self._values(resources, seen, changes), diff=[_diff(c) for c in changes])
        result[RESULT_KEY] = predictions
        return result

    # -- desired

    def _resources(self, items: t.Any) -> list[Resource]:
        out: list[Resource] = []
        for raw in items:
            kinds = [k for k in raw if k not in _ITEM_KEYS] if isinstance(raw, dict) else []
            if len(kinds) != 1 or kinds[0] not in KINDS:
                expected = ", ".join(sorted(KINDS))
                raise AnsibleActionFail(f"Each resource is expected to have one kind of {expected}, with when and loop beside it; got {raw!r}.", obj=raw)
            loop = self._templar.template(raw["loop"]) if "loop" in raw else [None]
            for item in loop:
                templar = self._templar
                if "loop" in raw:
                    templar = templar.copy_with_new_env(available_variables={**self._vars, "item": item})
                if "when" in raw and not self._holds(templar, raw["when"]):
                    continue
                made = self._resource(kinds[0], templar, raw[kinds[0]], len(out))
                for each in [*self._beside(made, raw[kinds[0]]), made]:
                    each.index = len(out)
                    out.append(each)
                    self._origins.append(raw[kinds[0]])
        return out

    @staticmethod
    def _beside(made: Resource, raw: t.Any) -> list[Resource]:
        try:
            return made.beside()
        except PlanError as exc:
            raise AnsibleActionFail(str(exc), obj=raw) from exc

    @staticmethod
    def _holds(templar: t.Any, when: t.Any) -> bool:
        return all(templar.evaluate_conditional(c) for c in (when if isinstance(when, list) else [when]))

    def _resource(self, kind: str, templar: t.Any, raw: t.Any, index: int) -> Resource:
        cls = KINDS[kind]
        checked = ArgumentSpecValidator(cls.spec).validate(templar.template(raw))
        if checked.error_messages:
            raise AnsibleActionFail(f"{kind}: {' '.join(checked.error_messages)}", obj=raw)
        args = checked.validated_parameters
        try:
            if "template" in cls.spec:
                args["content"] = self._content(templar, args, raw)
            if cls is Programs or args.get("runs"):
                args["files"] = imported(args["names"] if cls is Programs else [args["runs"]], _source)
            return cls(args, index)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc), obj=raw) from exc

    def _content(self, templar: t.Any, args: dict[str, t.Any], raw: t.Any) -> str:
        given = [k for k in ("content", "template", "source") if args.get(k) is not None]
        if len(given) != 1:
            raise AnsibleActionFail(f"file {args['path']}: one of content, template, source is expected, got {', '.join(given) or 'none'}.", obj=raw)
        if given == ["content"]:
            return str(args["content"])
        folder = "templates" if given == ["template"] else "files"
        if args[given[0]].startswith("roles/"):
            found = os.path.join(_ROOT, args[given[0]])  # what another role brings
        else:
            found = self._find_needle(folder, args[given[0]])
        text = self._loader.get_text_file_contents(found)
        if folder == "files":
            return str(text)
        variables = {**templar.available_variables, **generate_ansible_template_vars(args["template"], found)}
        roots = [os.path.dirname(found), *(os.path.join(p, "templates") for p in self._vars.get("ansible_search_path", []))]
        rendering = templar.copy_with_new_env(searchpath=roots, available_variables=variables)
        return str(rendering.template(trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True}))

    # -- observed, planned

    def _observe(self, wanted: dict[str, t.Any]) -> Seen:
        return self._read("gpulab.expansion.resources_info", wanted)

    def _compute(self, resources: list[Resource], seen: Seen) -> list[Change]:
        pending = self._ledger.pending(self._host) if self._task.check_mode else set()
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        try:
            confirmed = self._confirmed()
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        try:
            return compute(resources, seen, pending, confirmed, today)
        except PlanError as exc:
            raise AnsibleActionFail(f"{self._host}: {exc}", obj=self._origins[exc.index] if self._origins else None) from exc

    def _confirmed(self) -> list[Confirmation]:
        """The lab's, of this host. Who misspells a host would wait for it for ever."""
        given = self._templar.template(self._vars.get("lab_confirm") or [])
        if not isinstance(given, list):
            raise PlanError(f"lab_confirm is expected to be a list, but is {given!r}: correct it.")
        confirmed = [Confirmation.from_dict(entry) for entry in given]
        for one in confirmed:
            if one.host not in self._vars["groups"]["all"]:
                raise PlanError(f"A confirmation in lab_confirm is expected to name a host of the inventory, but names {one.host}: correct it.")
        return [one for one in confirmed if one.host == self._host]

    def _probe(self, urls: list[str]) -> None:
        """A mirror that is down stops the run before anything is changed, also the dry run."""
        for url, said in (self._observe({"urls": urls})["urls"] if urls else {}).items():
            if said:
                raise AnsibleActionFail(
                    f"{self._host}: {without_login(url)} is expected to answer, but: {said}. Set the role's mirror variable, or mend the mirror."
                )

    # -- real run

    def _apply(self, changes: list[Change]) -> None:
        steps = [(c, s) for c in changes for s in c.steps]
        for module, group in itertools.groupby(steps, lambda pair: pair[1].module):
            members = list(group)
            if module == "write":
                self._write([c for c, s in members], [dict(s.args) for c, s in members])
            else:
                for change, step in members:
                    self._step(change, step)

    def _write(self, changes: list[Change], entries: list[dict[str, t.Any]]) -> None:
        """Together; one that fails names itself, and those before it are done."""
        done = self._execute_module(module_name="gpulab.expansion.files", module_args={"entries": entries}, task_vars=self._vars)
        if done.get("failed"):
            failed = next((c for c, entry in zip(changes, entries) if entry["path"] == done.get("path")), changes[0])
            raise self._failure(failed, "gpulab.expansion.files", done)

    def _step(self, change: Change, step: Step) -> None:
        if step.module == "packages":
            self._install(change, step.args)
        elif "requirements_text" in step.args:
            self._install_requirements(change, dict(step.args))
        else:
            self._execute(change, step.module, dict(step.args))

    def _install_requirements(self, change: Change, args: dict[str, t.Any]) -> None:
        path = f"{args['virtualenv']}.requirements"
        entry = {"path": path, "type": "file", "content": args.pop("requirements_text"), "owner": "root", "group": "root", "mode": "0600"}
        self._execute(change, "gpulab.expansion.files", {"entries": [entry]})
        try:
            self._execute(change, "ansible.builtin.pip", {**args, "requirements": path})
        finally:
            self._execute(change, "ansible.builtin.file", {"path": path, "state": "absent"})

    def _install(self, change: Change, args: t.Mapping[str, t.Any]) -> None:
        """Packages come without starting their services: the unit resources do that, with the lab's configuration in place."""
        forbid = args["policy_rc_d"] != "foreign"
        if forbid:
            entry = {"path": POLICY_RC_D, "type": "file", "content": _POLICY, "owner": "root", "group": "root", "mode": "0755"}
            self._execute(change, "gpulab.expansion.files", {"entries": [entry]})
        try:
            names = list(change.resource.args["names"])
            if args["interrupted"]:
                self._mend(change, names)
            asked = {"name": names, "update_cache": True, "install_recommends": False, "state": "present", "lock_timeout": APT_LOCK_SECONDS}
            self._execute(change, "ansible.builtin.apt", asked)
        finally:
            if forbid:
                self._execute(change, "ansible.builtin.file", {"path": POLICY_RC_D, "state": "absent"})

    def _mend(self, change: Change, names: list[str]) -> None:
        """What an interrupted transaction left: configure what can be, remove what was unpacked by half, and let APT bring what is waited for."""

        def command(*argv: str) -> dict[str, t.Any]:
            return self._execute_module(module_name="ansible.builtin.command", module_args={"argv": list(argv)}, task_vars=self._vars)

        command("dpkg", "--configure", "-a", "--force-confold")  # fails where a package waits for one that was not even unpacked
        listed = command("dpkg-query", "-W", "-f", "${db:Status-Eflag} ${Package}\\n").get("stdout") or ""
        halves = [line.split()[1] for line in listed.splitlines() if line.startswith("reinstreq ")]
        if halves:
            command("dpkg", "--remove", "--force-remove-reinstreq", "--force-depends", "--", *halves)
        self._execute(change, "ansible.builtin.apt", {"update_cache": True, "lock_timeout": APT_LOCK_SECONDS})
        apt = [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-q",
            "-y",
            "-o",
            f"DPkg::Lock::Timeout={APT_LOCK_SECONDS}",
            "-o",
            "Dpkg::Options::=--force-confold",
            "--no-install-recommends",
        ]
        self._execute(change, "ansible.builtin.command", {"argv": [*apt, "--fix-broken", "satisfy", "--", ", ".join(names)]})

    def _execute(self, change: Change, module: str, args: dict[str, t.Any]) -> None:
        done = self._execute_module(module_name=module, module_args=args, task_vars=self._vars)
        if done.get("failed"):
            raise self._failure(change, module, done)

    def _failure(self, change: Change, module: str, done: dict[str, t.Any]) -> AnsibleActionFail:
        said = ": ".join(filter(None, (done.get(name) for name in ("msg", "stderr", "module_stderr")))) or "it gave no reason"
        what = f"{change.resource.kind} {change.resource.key}"
        if "No space left on device" in said or "Disk quota exceeded" in said:
            said = f"a file system is full ({said.strip().splitlines()[-1]}): make room there, and run it again"
        return AnsibleActionFail(f"{self._host}: {what}: {module} failed: {said}", obj=self._origins[change.resource.index])

    def _check(self, resources: list[Resource], changes: list[Change], seen: Seen) -> None:
        """Applied is what reads back as planned, and a package has brought what the role says it brings."""
        for change in changes:
            missing = change.resource.missing(seen)
            if missing:
                raise AnsibleActionFail(
                    f"{self._host}: {change.resource.kind} {change.resource.key}: expected after the run are {', '.join(missing)}, but they are not there. "
                    "Correct what it brings.",
                    obj=self._origins[change.resource.index],
                )
        left = self._compute(resources, seen)
        if left:
            named = "; ".join(f"{c.resource.kind} {c.resource.key} ({', '.join(c.after)})" for c in left)
            raise AnsibleActionFail(f"{self._host}: after the run nothing is expected to differ, but these still do: {named}.")

    # -- told

    def _values(self, resources: list[Resource], seen: Seen, changes: list[Change]) -> dict[str, str]:
        new = {c.resource.key: c.resource for c in changes if "sha256" in c.after} if self._task.check_mode else {}

        def text(path: str) -> str | None:
            if path not in new:
                return seen["contents"].get(path)
            return new[path].args["content"] if isinstance(new[path], File) else unknown_text("generated", path)

        return {name: value for r in resources for name, value in r.values(seen, text).items()}


@functools.cache
def _source(name: str) -> str | None:
    path = os.path.join(_ROOT, "plugins", "module_utils", *name.split(".")) + ".py"
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def _diff(change: Change) -> dict[str, str]:
    title = f"{change.resource.kind} {change.resource.key}"
    header = f"{title}  ({'; '.join(change.impact)})" if change.impact else title
    before, after = change.text or (_as_text(change.before or {}), _as_text(change.after))
    return {"before_header": title, "after_header": header, "before": before, "after": after}


def _as_text(tree: t.Mapping[str, t.Any]) -> str:
    lines = []
    for name, value in tree.items():
        if isinstance(value, dict) and "__unknown__" in value:
            value = f"(known after apply: {value['__unknown__']})"
        lines.append(f"{name}: {value}\n")
    return "".join(lines)
