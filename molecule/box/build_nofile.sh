#!/bin/sh
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in a throw-away container of the box's base image: /out gets a library by which an engine believes that it may have 65536 files open.
# A machine may allow its containers less, and engines that form a cluster refuse to start then.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends gcc libc6-dev >/dev/null
cat > /tmp/nofile.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/resource.h>
int getrlimit(__rlimit_resource_t which, struct rlimit *told) {
  int (*real)(__rlimit_resource_t, struct rlimit *) = dlsym(RTLD_NEXT, "getrlimit");
  int answer = real(which, told);
  if (which == RLIMIT_NOFILE && told) { told->rlim_cur = 65536; told->rlim_max = 65536; }
  return answer;
}
END
gcc -O2 -shared -fPIC -o /out/nofile.so /tmp/nofile.c -ldl
