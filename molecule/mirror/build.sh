#!/bin/sh
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in a throw-away container of the box's base image: /in is this folder, /packed packages made here, /out the mirror to be.
# An APT repository with the layout and the signature of a vendor's, holding what the roles, and a test of theirs, install on a bare host.
set -eu
export DEBIAN_FRONTEND=noninteractive
arch=$(dpkg --print-architecture)
release=/out/apt/dists/box
cp /var/lib/dpkg/status /tmp/bare-status
apt-get -qq update
mkdir -p "/out/apt/pool/partial" "$release/main/binary-$arch"
# shellcheck disable=SC2046
apt-get -qq install -y --no-install-recommends --download-only -o Dir::State::status=/tmp/bare-status \
  -o Dir::Cache::archives=/out/apt/pool -o APT::Sandbox::User=root $(cat /in/packages.txt) >/dev/null
rm -rf /out/apt/pool/partial /out/apt/pool/lock
cp /packed/*.deb /out/apt/pool/
apt-get -qq install -y --no-install-recommends gnupg apt-utils >/dev/null
cd /out/apt
apt-ftparchive packages pool > "$release/main/binary-$arch/Packages"
apt-ftparchive -o APT::FTPArchive::Release::Suite=box -o APT::FTPArchive::Release::Components=main \
  -o "APT::FTPArchive::Release::Architectures=$arch" release "$release" > /tmp/Release
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key 'lab-in-a-box mirror' ed25519 sign never
gpg --batch --quiet --clearsign -o "$release/InRelease" /tmp/Release
gpg --batch --armor --export > /out/apt/key.asc
