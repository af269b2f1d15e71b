# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret leaves a reference where it stood, and what ansible-core says of a module never has it."""

from __future__ import annotations

import importlib
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown
from ansible_collections.gpulab.expansion.plugins.module_utils._sealed import OPTION, has_credentials, masked, reveal, seal, without_login
from hypothesis import given
from hypothesis import strategies as st

NASTY = 'it\'s "Xq7" \\ \n\t@://u:p@%é'
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
TREES = st.recursive(SCALARS, lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from(["a", "value"]), below, max_size=3)))


@given(st.dictionaries(st.sampled_from(["list", "settings", "value", "name"]), TREES))
def test_what_is_sealed_comes_out_as_it_went_in(args: dict[str, t.Any]) -> None:
    plain, kept = reveal(seal(args))
    assert plain == args and all(isinstance(text, str) for text in kept)


def test_a_setting_that_is_no_secret_is_not_cut_out_of_sentences() -> None:
    settings = {"index": {"default_pipeline": "gpulab"}, "secret_key": "Xq7-of-the-bucket", "location": "the-password"}
    sealed = seal({"list": [{"body": {"settings": settings}}], "password": "the-password"})
    assert "gpulab" not in str({name: value for name, value in sealed.items() if name != OPTION}).replace("gpulab-sealed", ""), "and in no log either"
    assert sorted(reveal(sealed)[1]) == ["Xq7-of-the-bucket", "the-password", "the-password"]


def test_only_secrets_and_addresses_with_a_login_are_moved() -> None:
    args = {"entries": [{"path": "/etc/lab", "content": NASTY}], "urls": ["https://u:p@host/x", "https://host/y"], "password": 12345}
    sealed = seal(args)
    assert NASTY not in repr(sealed) and "p@host" not in repr(sealed) and "12345" not in repr({k: v for k, v in sealed.items() if k != OPTION})
    assert sealed["entries"][0]["path"] == "/etc/lab" and sealed["urls"][1] == "https://host/y"
    assert reveal(sealed)[0] == {**args, "password": "12345"}
    assert OPTION not in seal({"entries": [{"path": "/etc/lab"}]})


@pytest.mark.parametrize(("text", "left"), [("https://u:p@h/x", "https://h/x"), ("https://h/x", "https://h/x"), ("ssh://borg@h:22/r", "ssh://borg@h:22/r")])
def test_a_login_is_cut_out_of_an_address(text: str, left: str) -> None:
    assert without_login(text) == left and has_credentials(text) == (text != left)


def test_a_sentence_loses_the_secret_however_it_is_written() -> None:
    for written in (NASTY, repr(NASTY), json.dumps(NASTY), json.dumps(NASTY, ensure_ascii=False)):
        assert "Xq7" not in masked(f"the server says: {written}.", [NASTY])
    assert masked("lab is not there", ["lab"]) == "lab is not there"


@pytest.mark.parametrize("secret", [NASTY, "lab", "root", "1", "0644", "/etc"])
def test_a_module_logs_no_secret_and_predicts_as_with_any_other(
    secret: str, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ansible-core cuts the text of a secret out of results: with one like `1` the prediction would have other numbers."""
    lines: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, msg, log_args=None: lines.append(f"{msg} {log_args}"))

    def told(content: str) -> dict[str, t.Any]:
        args = {"entries": [{"path": str(tmp_path / "lab1"), "type": "file", "mode": "0600", "content": content}], "_ansible_check_mode": True}
        with patch_module_args(seal(args)), pytest.raises(SystemExit):
            importlib.import_module("ansible_collections.gpulab.expansion.plugins.modules.files").main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        return result

    with_secret, without = told(secret), told("something else")
    assert with_secret["gpulab_prediction"][0]["after"]["sha256"] == unknown("secret")
    assert with_secret["gpulab_prediction"] == without["gpulab_prediction"]
    assert "Xq7" not in "".join(lines) + json.dumps(with_secret) and lines
