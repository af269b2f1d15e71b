#!/bin/sh
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in a throw-away container of the box's base image: /in is this folder, /out gets the simulated NVML.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends gcc libc6-dev >/dev/null
gcc -std=gnu11 -O2 -w -fvisibility=hidden -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o /out/libnvidia-ml.so.1 /in/nvml_stub/nvml.c
