#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: resources
short_description: Bring packages, repositories, files, users, units and more to a desired state, with a truthful dry run
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Compares everything a role wants on a host with what one reading finds there, and gets a plan.
  - In check mode the plan is the result, and the host is left alone. A real run executes the same plan through
    ordinary modules, reads the host again, and fails unless nothing is left to change.
  - Packages are installed without starting their services; a C(unit) resource starts them.
  - A file that a running unit read at its start, and that was written later, means a restart, also when the run that
    wrote it was interrupted. So there is no handler to lose.
  - Drivers, kernels, container engines and their units are not upgraded, removed, restarted or stopped, because jobs run on them, unless the lab's
    variable C(lab_confirm) names the host and the package or unit, who answers for that, why, and until which day. The prediction quotes it.
  - What a dry run cannot know (a generated key, an assigned number, a time, a secret) is told as unknown, with the reason.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  list:
    description:
      - The resources, in the order in which they are applied. Each is a dictionary of one kind and its options, with
        C(when) and C(loop) (variable C(item)) beside it if needed.
      - "C(packages): C(names); C(brings) with C(units), C(users), C(paths), which later resources count on and which is
        checked after the installation. One per list."
      - "C(repository): C(name), C(uri), C(suite), C(components), C(signed_by) (ASCII-armoured key), a deb822 source."
      - "C(directory): C(path), C(owner), C(group), C(mode); without a mode one that is there stays as it is, and a new one is C(0755)."
      - "C(file): C(path), C(owner), C(group), C(mode), one of C(content), C(template), C(source) (in the role's C(files/), or
        below the collection's C(roles/)); C(secret) hides its content and digest."
      - "C(download): C(url), C(sha256), C(path), C(owner), C(group), C(mode)."
      - "C(user): a system user with a group of its name: C(name), C(home), C(shell), C(comment), C(create_home)."
      - "C(python_env): C(path), C(requirements) (each C(name==version)), C(index_url), C(compile) (V(false) when it is big
        and who runs it has it running for long: installing then takes seconds instead of a minute)."
      - "C(ssh_key): an Ed25519 key pair: C(path), C(comment)."
      - "C(private_key): an EC key (P-256, PKCS 8): C(path), C(owner), C(group), C(mode)."
      - "C(certificate_request): C(path), C(owner), C(group), C(mode), C(private_key) (path), C(common_name), C(organization), C(alt_names)
        (each V(DNS:name) or V(IP:address)), C(authority) for the request of a certificate authority."
      - "C(certificate): C(path), C(owner), C(group), C(mode), C(request) (its text) or C(request_path), C(issuer_key) (path), C(issuer_certificate) (path;
        without it the certificate signs itself), C(days), C(renew_days) before its end it is issued anew. Keys and certificates are made by
        community.crypto, which needs python3-cryptography on the host."
      - "C(authority): a certificate authority in the directory C(path), and what it signs: C(common_name), C(days) that a root lasts, C(renew_days) before
        its end a second root is made, C(overlap_days) later the second one signs; C(sign), by name, C(request) and C(certificate) (what the one who asks
        has, or empty), C(days), C(renew_days). RV(values) has C(trust), all roots that are trusted, and each certificate by its name. Where certificates
        of a lost authority are in use, a new one is refused unless C(lab_confirm) names C(path)."
      - "C(read): C(path), whose text is returned in RV(values); C(optional) if it may be absent, then the text is empty."
      - "C(absent): C(path), a file that an earlier version of a role wrote, or that came from an input that is gone; C(holds), a text that it has if it is
        that file: another one of that name is left alone; without it, the name alone says so. Never a directory, never data. A unit that read it names its
        directory in C(restarted_by)."
      - "C(needs): C(directory), or C(address_of) (the name of a host), which must be there already, because no role makes it; C(set_by), the variable that
        names it."
      - "C(programs): C(names) of modules in the collection's C(plugins/module_utils) that timers and services run, as V(_gpu.programs.metrics). They come
        with all that they import into C(/usr/local/lib/gpulab), and are run with C(PYTHONPATH=/usr/local/lib/gpulab python3 -m gpulab._gpu.programs.metrics)."
      - "C(unit): C(name), C(state) (V(started) or V(stopped)), C(enabled), C(restarted_by) (paths), C(runs) (the name of its program, if it runs for long: a
        new one, or a new part of it, restarts the unit), C(makes) (a path that its first start makes, for modules that ask the service what it keeps)."
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Serve time
  gpulab.expansion.resources:
    list:
      - packages:
          names: [chrony]
          brings: {units: [chrony.service], users: [_chrony], paths: [/etc/chrony]}
      - file: {path: /etc/chrony/chrony.conf, template: chrony.conf.j2, mode: "0644"}
      - unit: {name: chrony.service, state: started, enabled: true, restarted_by: [/etc/chrony/chrony.conf]}

- name: Give each project a directory
  gpulab.expansion.resources:
    list:
      - directory: {path: "/srv/{{ item }}", mode: "0750"}
        loop: "{{ projects }}"
        when: projects_enabled
"""

RETURN = r"""
gpulab_prediction:
  description:
    - One record for each resource that differs, with C(kind), C(key), C(before), C(after), C(impact).
    - After a real run C(after) holds what was read back.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: unit
      key: chrony.service
      before:
      after: {active: active, enabled: enabled, since: {__unknown__: time}}
      impact: []
now:
  description: The host's clock at the last reading, seconds since the epoch.
  returned: always
  type: float
values:
  description: >-
    Text by path, for each C(read), and what an C(authority) signed, by name. In a dry run it may be a marker for a value known only after the real run.
  returned: always
  type: dict
"""
