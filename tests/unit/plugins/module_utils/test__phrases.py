# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu import model
from ansible_collections.gpulab.expansion.plugins.module_utils._images import compatibility
from ansible_collections.gpulab.expansion.plugins.module_utils._phrases import Phrase, in_chinese
from ansible_collections.gpulab.expansion.plugins.module_utils._usage import sudoers

OLD = Phrase("{gpu} ({sm}) is old: build it for {sm}, {way}", "{gpu}（{sm}）较旧：请为 {sm} 构建，{way}")
WAY = Phrase("or wait.", "或等待。")


def test_a_sentence_is_found_again_with_what_stands_in_it() -> None:
    said = OLD(gpu="A100 (40 GB)", sm="sm_80", way=WAY())
    assert said == "A100 (40 GB) (sm_80) is old: build it for sm_80, or wait."
    assert in_chinese(said, [OLD, WAY]) == "A100 (40 GB)（sm_80）较旧：请为 sm_80 构建，或等待。"
    assert in_chinese(said.replace("for sm_80", "for sm_90"), [OLD, WAY]) == said.replace("for sm_80", "for sm_90"), "another sentence"
    assert OLD.chinese("It is (a.b) {x}: [.*]") is None
    assert in_chinese(OLD(gpu="{zh}\n\\1", sm="x", way="y"), [OLD]) == "{zh}\n\\1（x）较旧：请为 x 构建，y", "what stands in it is no format"


@pytest.mark.parametrize("phrase", [*model.PHRASES, *compatibility.PHRASES, *sudoers.PHRASES], ids=lambda phrase: phrase.en[:30])
def test_both_languages_tell_the_same(phrase: Phrase) -> None:
    fields = [{name for _literal, name, *_rest in string.Formatter().parse(text) if name} for text in (phrase.en, phrase.zh)]
    assert fields[0] == fields[1] and phrase.zh != phrase.en
