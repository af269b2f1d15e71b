# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that a client chooses are data: whatever they hold, none is an option, and none stops the work for another."""

from __future__ import annotations

import pathlib
import random
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Access, Borg, is_checkpoint, named, real_paths, shown
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.programs import admin, drill

ACCESS = Access("ssh://borg@store1/srv/borg/repos/gpu1", "/etc/a pass", "ssh -i key", "/var/lib/x")
EVIL = ['--rsh=python3 -c \'open("/root/owned", "w")\'', "-a", "--", "--glob-archives=*", "::", "a::b", "{now}", "{", "}", "{{x}}", "{0}", "%s"]
EVIL += ["%(x)s", "../../etc", "a b", "'", '"', "a\nb", "a\n", "\t", "$HOME", "~root", "`id`", "$(id)", "é", "日本", "\udcff", "a" * 255, "*", "?", "[x]"]
EVIL += ["pp:x", "re:.*", "#", "\x1b[31m", "", 'x"} 1\ngpulab_borg_admin_lost_objects{client="gpu1', "{{ lookup('pipe', 'id') }}"]


def names(count: int) -> t.Iterator[str]:
    """Those, and some that are put together of them at random, the same ones each time."""
    chance = random.Random(18)
    yield from EVIL
    for _time in range(count):
        yield "".join(chance.choice(EVIL)[:60] for _part in range(chance.randint(1, 4)))


class Program:
    """Stands for borg's process, and reads its command line as argparse does: what is before C(--) are options."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[str]]] = []

    def __call__(self, argv: list[str], **more: t.Any) -> tuple[int, str, str]:
        assert not more["expand_user_and_vars"], "a module would put the variable's value in its place"
        cut = argv.index("--")
        self.calls.append((argv[:cut], [word for word in argv[cut + 1 :] if word != "--"]))  # which argparse drops wherever it stands
        return 0, "", ""


def test_no_name_is_an_option() -> None:
    program = Program()
    borg = Borg(program, ACCESS)
    tried = list(names(2000))
    refused = borg.delete(tried)
    for name in tried:
        for use in (
            lambda name: borg.list_paths("a", [name]),
            lambda name: borg.extract("a", [name], "/x"),
            lambda name: borg.extract_files("a", [name], "/x"),
        ):
            use(name)
    literal = {"borg", "--log-json", "delete", "--lock-wait=600", "list", "extract", "--bypass-lock", "--format={type}{path}{NUL}"}
    assert all(set(options) <= literal for options, _names in program.calls)
    assert refused == [name for name in tried if not name or "/" in name], "only what borg cannot be given is refused, one by one"
    deleted = [word.removeprefix("::") for options, words in program.calls if "delete" in options for word in words]
    assert sorted(deleted) == sorted(name.replace("{", "{{").replace("}", "}}") for name in tried if name not in refused)


def test_placeholders_are_taken_as_they_are() -> None:
    assert named("{now}") == "::{{now}}" and named("--rsh=x") == "::--rsh=x"


def test_what_is_shown_is_one_printable_line() -> None:
    for name in names(500):
        text = shown(name)
        assert text.isprintable() and len(text) <= 401
        text.encode()


def test_labels_hold_nothing_that_is_syntax() -> None:
    for name in names(500):
        assert not set(admin.labelled([name, name, name, name])) & set('"{}\n\\=')


@pytest.mark.parametrize(("name", "unfinished"), [("a.checkpoint", True), ("a.checkpoint.12", True), ("a.checkpoint.x", False), ("a.checkpoint\n", False)])
def test_checkpoints(name: str, unfinished: bool) -> None:
    assert is_checkpoint(name) == unfinished


def test_files_that_are_no_utf8_are_found_by_what_borg_lists(tmp_path: pathlib.Path) -> None:
    for name in (b"bad\xff.bin", b"bad?.bin", b"new\nline", b"-dash", b"a" * 255, "é".encode()):
        folder = bytes(tmp_path) + b"/d\xfe"
        pathlib.Path(folder.decode("utf-8", "surrogateescape")).mkdir(exist_ok=True)
        with open(folder + b"/" + name, "wb") as handle:
            handle.write(name)
    root = str(tmp_path)
    assert len(real_paths(root, "d?/bad?.bin")) == 1, "the one that has the very name"
    assert [path.encode("utf-8", "surrogateescape").rpartition(b"/")[2] for path in real_paths(root, "d?/new\nline")] == [b"new\nline"]
    assert real_paths(root, "d?/other") == []
    digest = drill.sha256_of(real_paths(root, "d?/-dash")[0])
    assert drill.compare({"d?/-dash": digest, "d?/gone": digest, "d?/é": digest}, 9e9, root) == (1, 1, ["/d?/é"])
