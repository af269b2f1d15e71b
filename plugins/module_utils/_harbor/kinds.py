# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All kinds of objects of Harbor, by the module that keeps them.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from .accounts import Member, Robot, User
from .base import HarborKind
from .projects import Label, Project, ProxyCache
from .replication import Endpoint, Replication
from .retention import Immutability, Retention
from .settings import GarbageCollection, ScanAll, Setting
from .webhooks import Webhook

KINDS: t.Dict[str, t.Type[HarborKind]] = {
    kind.name: kind
    for kind in (Project, Endpoint, ProxyCache, User, Member, Robot, Replication, Label, Retention, Immutability, GarbageCollection, ScanAll, Webhook, Setting)
}
