# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import ssl
import sys
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harbor_server import Harbor, serve  # noqa: E402


@pytest.fixture
def harbor() -> t.Iterator[Harbor]:
    """A server of its own for each test; C(url) is where it answers."""
    kept = Harbor()
    server = serve(kept)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    yield kept
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_system_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request builds a TLS context, for http, too, and reads all authorities of the system for it. No server here has a certificate of theirs."""
    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda self: None)
