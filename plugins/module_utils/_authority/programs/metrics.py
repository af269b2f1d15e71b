# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the roots of the lab's certificate authority end, as a Prometheus textfile. A timer of the role authority runs this on the host:
C(python -m gpulab._authority.programs.metrics DIRECTORY FILE).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import pathlib
import sys
import time
import typing as t

from ..._textfile import Textfile

try:
    from cryptography import x509
except ImportError:  # the role brings it to the host
    x509 = None  # type: ignore[assignment]


def end_of(pem: bytes) -> float:
    """Seconds since the epoch."""
    found = x509.load_pem_x509_certificate(pem)
    # before cryptography 42 its times had no zone
    ends = getattr(found, "not_valid_after_utc", None) or found.not_valid_after.replace(tzinfo=datetime.timezone.utc)
    return float(ends.timestamp())


def main(argv: t.Sequence[str]) -> None:
    """Write the textfile C(argv[1]) about the authority in C(argv[0])."""
    out = Textfile("gpulab_authority")
    for path in sorted(pathlib.Path(argv[0]).glob("ca*.pem")):
        out.gauge("root_end_timestamp_seconds", "When the root ends", end_of(path.read_bytes()), root=path.stem)
    out.gauge("reading_timestamp_seconds", "When the roots were read", time.time())
    out.write(argv[1])


if __name__ == "__main__":
    main(sys.argv[1:])
