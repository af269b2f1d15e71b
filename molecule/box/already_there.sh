#!/bin/sh
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the lab has before phase 1: a node exporter on each host, Prometheus and Alertmanager on mgmt1. Changes nothing the second time.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages=prometheus-node-exporter
[ "$(hostname)" != mgmt1 ] || packages="$packages prometheus prometheus-alertmanager"
# shellcheck disable=SC2086
dpkg-query -W $packages >/dev/null 2>&1 && exit
mkdir -p /etc/default /etc/prometheus
# the directory of the collection's metrics: the exporter waits for it
echo 'ARGS="--collector.textfile.directory=/var/lib/gpulab/metrics"' >/etc/default/prometheus-node-exporter
if [ "$(hostname)" = mgmt1 ]; then
  cat >/etc/prometheus/prometheus.yml <<END
global: {scrape_interval: 5s, evaluation_interval: 5s}
alerting: {alertmanagers: [{static_configs: [{targets: [localhost:9093]}]}]}
rule_files: [/etc/prometheus/rules/*.yml]
scrape_configs: [{job_name: gpulab, file_sd_configs: [{files: [/etc/prometheus/targets/*.json]}]}]
END
  # nobody is told; the page of Alertmanager shows what fires
  cat >/etc/prometheus/alertmanager.yml <<END
route: {receiver: nobody}
receivers: [{name: nobody}]
END
fi
apt-get -qq update
# shellcheck disable=SC2086
apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confold $packages >/dev/null
