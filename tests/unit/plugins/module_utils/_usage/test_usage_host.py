# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host is read whatever its users call what they mount."""

from __future__ import annotations

import os
import pathlib

from ansible_collections.gpulab.expansion.plugins.module_utils._usage.host import storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def written(name: bytes) -> bytes:
    """As the kernel does it, in show_mnt of https://github.com/torvalds/linux/blob/master/fs/proc_namespace.c."""
    return b"".join(b"\\%03o" % byte if bytes([byte]) in b" \t\n\\#" else bytes([byte]) for byte in name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(min_size=1, max_size=200).filter(lambda name: b"\0" not in name and b"/" not in name)
    | st.sampled_from([b"\xff\xfe", b"a b", b"a\nb", b"--x", b"%s{{ x }}"])
)
def test_a_mount_of_any_name_is_read_and_found(tmp_path: pathlib.Path, name: bytes) -> None:
    mounts, place = tmp_path / "mounts", os.fsencode(tmp_path) + b"/place-" + name
    os.makedirs(place, exist_ok=True)
    mounts.write_bytes(b"/dev/root / ext4 rw 0 0\nhome:" + written(name) + b" " + written(place) + b" fuse rw 0 0\n")
    (found,) = storage([os.fsdecode(place)], str(mounts))
    assert found["source"] == "home:" + os.fsdecode(name).encode("utf-8", "replace").decode() and found["size_bytes"] > 0
