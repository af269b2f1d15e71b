#!/bin/sh
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in a throw-away container of the box's base image: /in is this folder, /out gets promtool and amtool out of their packages.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
cd /tmp
apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager
for package in ./*.deb; do dpkg-deb -x "$package" unpacked; done
cp unpacked/usr/bin/promtool unpacked/usr/bin/amtool /out/
