# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks of a lab and who has which address in them. Pure: no I/O, no name is resolved.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

try:
    import netaddr
except ImportError:  # requirements.txt brings it to a controller, not to a test that imports each file by itself
    netaddr = None


class NetworkError(Exception):
    """Sentences for the admin."""


@dataclasses.dataclass(frozen=True)
class Networks:
    """C(addresses) are texts by host and network; C(derived) says of each that nobody declared where it comes from."""

    cidrs: dict[str, str]
    addresses: dict[str, dict[str, str]]
    derived: list[str]


def load(declared: t.Any, hosts: t.Mapping[str, str]) -> Networks:
    """C(declared) is lab_networks: for each name a C(cidr), and in C(hosts) addresses by host. C(hosts) are the inventory's, with their ansible_host.

    NetworkError has a sentence for each thing that is wrong.
    """
    if not isinstance(declared, dict) or not all(isinstance(each, dict) for each in declared.values()):
        raise NetworkError("lab_networks is expected to have a mapping with cidr and hosts for each network, but has something else: correct it.")
    if not declared:
        return Networks({}, {host: {} for host in hosts}, [])
    if netaddr is None:
        raise NetworkError("lab_networks: netaddr is expected beside ansible-core on the control node, but is not there: pip install netaddr.")
    wrong: list[str] = []
    networks = {name: net for name, entry in declared.items() for net in [_network(name, entry, wrong)] if net is not None}
    for (one, first), (other, second) in itertools.combinations(networks.items(), 2):
        if first in second or second in first:
            wrong.append(f"The networks {one} ({first}) and {other} ({second}) are expected to have no address in common, but one holds the other.")
    addresses: dict[str, dict[str, str]] = {host: {} for host in hosts}
    for name, net in networks.items():
        for host, text in (declared[name].get("hosts") or {}).items():
            if host not in hosts:
                wrong.append(f"{name}: hosts of the inventory are expected, but {host} is none.")
            elif _lies_in(name, net, host, text, wrong):
                addresses[host][name] = str(netaddr.IPAddress(str(text)))
    derived = _derive(networks, hosts, addresses, wrong)
    owners: dict[str, list[str]] = {}
    for host, those in addresses.items():
        for address in set(those.values()):
            owners.setdefault(address, []).append(host)
        if networks and not those:
            wrong.append(f"{host} is expected to have an address in one of {', '.join(networks)}, but has none: add it to the hosts of one of them.")
    for address, found in owners.items():
        if len(found) > 1:
            wrong.append(f"{address} is expected to belong to one host, but belongs to {' and '.join(found)}.")
    if wrong:
        raise NetworkError(" ".join([*wrong, "Correct lab_networks or ansible_host in the inventory."]))
    return Networks({name: str(net) for name, net in networks.items()}, addresses, derived)


def _network(name: str, entry: t.Mapping[str, t.Any], wrong: list[str]) -> t.Any:
    more = set(entry) - {"cidr", "hosts"}
    if more or not isinstance(entry.get("hosts") or {}, dict):
        wrong.append(f"{name} is expected to have cidr and hosts, addresses by host, but has {', '.join(sorted(map(str, more))) or 'other hosts'}.")
        return None
    try:
        found = netaddr.IPNetwork(str(entry.get("cidr")))
    except (netaddr.AddrFormatError, ValueError):
        wrong.append(f"{name}: a cidr as 10.20.0.0/24 is expected, but it is {entry.get('cidr')!r}.")
        return None
    if found.ip != found.network or "/" not in str(entry["cidr"]):
        wrong.append(f"{name}: a cidr as {found.cidr} is expected, but it is {entry['cidr']!r}, an address in it.")
        return None
    return found


def _lies_in(name: str, net: t.Any, host: str, text: t.Any, wrong: list[str]) -> bool:
    try:
        address = netaddr.IPAddress(str(text))
    except (netaddr.AddrFormatError, ValueError):
        wrong.append(f"{name}: an address is expected for {host}, but it is {text!r}.")
        return False
    ends = {net.network, net.broadcast} if net.version == 4 and net.prefixlen < 31 else set()
    if address not in net or address in ends:
        wrong.append(f"{name}: an address of a host in {net} is expected for {host}, but {address} is none.")
        return False
    return True


def _derive(networks: t.Mapping[str, t.Any], hosts: t.Mapping[str, str], addresses: dict[str, dict[str, str]], wrong: list[str]) -> list[str]:
    """The address by which Ansible reaches a host counts for the network that it lies in."""
    said = []
    for host, reached in hosts.items():
        try:
            address = netaddr.IPAddress(reached)
        except (netaddr.AddrFormatError, ValueError):
            continue  # a name
        inside = [name for name, net in networks.items() if address in net]
        if networks and not inside:
            wrong.append(f"ansible_host of {host} is expected in one of {', '.join(networks)}, but {address} is in none.")
        for name in inside:
            if name not in addresses[host]:
                addresses[host][name] = str(address)
                said.append(f"{host} has {address} in {name}, from its ansible_host.")
    return said
