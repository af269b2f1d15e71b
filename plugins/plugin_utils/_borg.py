# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of what reads a repository as a client.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ._actions import PredictingAction


class ClientAction(PredictingAction):
    """Without borg, the client's key, or its place on the server, only this run's own plan tells what will be."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("package", "borgbackup"), ("path", str(args.get("passphrase_file")))}

    def requires_elsewhere(self, args: dict[str, t.Any]) -> set[tuple[str, tuple[str, str]]]:
        server = args.get("server")
        if not server:
            return set()
        # with other keys than now the server lets others in than now
        return {(server, ("package", "borgbackup")), (server, ("unit", "ssh.service")), (server, ("path", str(args.get("authorized_keys"))))}
