# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the judges say, in Chinese. Pure.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
The judges speak English; each phrase of theirs has its Chinese here, and a test asks for the phrases of every situation that is tested.
"""

from __future__ import annotations

import re

_PHRASES = [
    # of roadmap modules
    (r"\bchecked on ", "已检查："),
    (r"\bdeployed and verified on ", "已部署并验证："),
    (r"\bnot brought to its end on ", "未完成："),
    (r"^stopped by its gate$", "未满足准入条件，已停止"),
    (r"^left out: ", "未包含："),
    (r"^skipped: the group (\S+) is empty$", r"已跳过：主机组 \1 为空"),
    # of hosts and their GPUs; each is a whole sentence
    (r"^All GPUs answer\.", "所有 GPU 均有应答。"),
    (
        r"^A GPU has fallen off the bus: drain the host, look for its Xid in the kernel log, then reboot or reseat it\.",
        "有 GPU 掉卡：请清空该主机上的任务，在内核日志中查找 Xid，然后重启或重新插拔。",
    ),
    (r"^No NVIDIA GPU is on the PCI bus of this host\.", "该主机的 PCI 总线上没有 NVIDIA GPU。"),
    (
        r"^An NVIDIA GPU is on the PCI bus, but its driver is not loaded: install the driver, or look in dmesg why it did not load\.",
        "PCI 总线上有 NVIDIA GPU，但驱动未加载：请安装驱动，或在 dmesg 中查看未加载的原因。",
    ),
    (
        r"^The loaded kernel driver and the user-space library are of different versions: reboot once no job runs, do not reinstall\.",
        "已加载的内核驱动与用户态库版本不一致：待无任务时重启，不要重装。",
    ),
    (
        r"^The Python library nvidia-ml-py is not there: install it where the option python_env points\.",
        "缺少 Python 库 nvidia-ml-py：请安装到 python_env 所指的环境。",
    ),
    (
        r"^NVML does not answer as it should: see whether nvidia-smi does, and the kernel log; a driver that hangs needs a reboot\.",
        "NVML 未正常应答：请查看 nvidia-smi 是否应答以及内核日志；驱动挂起时需重启主机。",
    ),
    (r" NVML says: (.*)\.$", r" NVML 的原话：\1。"),
    # of sudo; each is a whole sentence
    (r"^cvtsudoers, which reads the rules of sudo, is expected beside sudo, but is not there\.$", "sudo 已安装，但缺少读取其规则的 cvtsudoers。"),
    (
        r"^cvtsudoers is expected to read the rules of sudo, but cannot: it writes no JSON, as for an alias that is not defined \(visudo -c tells\)\.$",
        "cvtsudoers 无法读取 sudo 规则：输出不是 JSON，例如使用未定义的别名时（可用 visudo -c 查明）。",
    ),
    (r"^cvtsudoers is expected to read the rules of sudo, but cannot: (.*)\.$", r"cvtsudoers 无法读取 sudo 规则：\1。"),
    (r"^Rules of sudo that come from (.*) \(/etc/nsswitch\.conf\) are not read\.$", r"未读取来自 \1 的 sudo 规则（/etc/nsswitch.conf）。"),
    # of images; each is a whole sentence
    (r": install a newer driver, or use an image with CUDA ([\d.]+)\.$", r"：请安装更新的驱动，或改用 CUDA \1 的镜像。"),
    (r": install a newer driver\.$", "：请安装更新的驱动。"),
    (r"^is made for (\S+) processors, and (\S+) has (\S+): build it for that, too\.$", r"是为 \1 处理器构建的，而 \2 为 \3：请为其另行构建。"),
    (r"^does not tell which CUDA it has: .*$", "未说明所含 CUDA：请加标签 gpulab.cuda，或基于带 CUDA_VERSION 的镜像构建。"),
    (r"^needs a GPU, and (\S+) has none that its driver knows: choose another node\.$", r"需要 GPU，而 \1 没有驱动可识别的 GPU：请换用其他节点。"),
    (r"^asks for driver (\S+) or newer, and (\S+) has ([\d.]+)", r"要求驱动 \1 或更新，而 \2 为 \3"),
    (r"^tells the container runtime to refuse this node \((\S+) is expected, driver (\S+) found\)", r"要求容器运行时拒绝该节点（需要 \1，驱动为 \2）"),
    (r"^has CUDA (\S+), which needs driver (\S+) or newer, and (\S+) has ([\d.]+)", r"含 CUDA \1，需要驱动 \2 或更新，而 \3 为 \4"),
    (r" \(its compatibility libraries serve data-centre GPUs only\)", "（其兼容库仅适用于数据中心 GPU）"),
    (
        r"^has only PTX for (.+?) \((\w+)\), which takes driver (\S+) or newer, and (\S+) has (\S+): build it for \w+\.$",
        r"对 \1（\2）仅含 PTX，需要驱动 \3 或更新，而 \4 为 \5：请为 \2 构建。",
    ),
    (
        r"^has code for (.+), and none for (.+?) \((\w+)\): build it for \w+, or choose another node\.$",
        r"含 \1 的代码，但没有 \2（\3）的：请为 \3 构建，或换用其他节点。",
    ),
    (
        r"^does not tell for which GPUs it has code: label it gpulab.sm, so that it can be told for (.+?) \((\w+)\)\.$",
        r"未说明含哪些 GPU 的代码：请加标签 gpulab.sm，以便判断 \1（\2）。",
    ),
    (
        r"^has CUDA (\S+), whose libraries have no code for (.+?) \((\w+)\): CUDA (\S+) or newer is the first that has\.$",
        r"含 CUDA \1，其库没有 \2（\3）的代码：CUDA \4 起才有。",
    ),
    (
        r"^has CUDA (\S+), whose libraries have no code for (.+?) \((\w+)\) any more: use CUDA older than (\S+)\.$",
        r"含 CUDA \1，其库不再含 \2（\3）的代码：请使用早于 \4 的 CUDA。",
    ),
    (r"^(\S+) is overridden by (.+?) until (\d{4}-\d\d-\d\d): ", r"\1 由 \2 放行至 \3："),
    (r"no host has one of lab_licence_files", "没有主机存有 lab_licence_files 中的授权文件"),
    (r"nobody measures or declares it", "既无测量也无声明"),
    (r"^(\S+) says (.+), but (\S+) says (.+)$", r"\1 为 \2，而 \3 为 \4"),
    (r"it was read in the future: the clocks disagree", "读数时间在未来：时钟不一致"),
    (r"it is (\d+) h old", r"读数已过去 \1 小时"),
    (r"it is not a number", "不是数值"),
    (r"it is not known", "未知"),
    (r"it has no history, and (.+?) are needed", r"没有历史数据，需要 \1"),
    (r"its history covers (.+?) or has gaps, and (.+?) are needed", r"历史数据仅覆盖 \1 或有缺口，需要 \2"),
    (r"so for (\d+%) of ([\d.e+]+ \w+)", r"在 \2 内有 \1 的时间如此"),
    (r", last (\S+ ?\S*)", r"，最近为 \1"),
    (r"; whether for (.+?) is not known", r"；是否持续 \1 未知"),
    (r" over ([\d.]+ \w+)", r"（观察 \1）"),
    (r"nothing was measured of late", "近期没有测量值"),
    (r"the GPU has fallen off the bus", "GPU 已掉卡"),
    (r"the kernel log cannot be read", "无法读取内核日志"),
    (r"there is no such link", "没有该网络接口"),
    (r"no Prometheus is named in lab_prometheus_url", "lab_prometheus_url 未设置 Prometheus"),
    (r"Prometheus has no such series", "Prometheus 中没有该指标"),
    (r"Prometheus says that it is not a number", "Prometheus 的返回值不是数值"),
    (r"no host was read", "没有读取到任何主机"),
    (r"(\S.*?) could not be read", r"无法读取 \1"),
    (r"no group of lab_user_groups has a member", "lab_user_groups 中的用户组没有成员"),
    (r"no task is on a GPU", "GPU 上没有任务"),
    (r"none of lab_data_paths is there", "lab_data_paths 中的路径都不存在"),
    (r"tracefs cannot be mounted", "无法挂载 tracefs"),
    (r"this kernel is built without tracing", "内核未启用 tracing"),
    (r"the kernel (?:refuses a trace instance|gives no block events)", "内核不提供块设备事件"),
    (r"\b(\d+) events were lost, because there were more than the buffer holds: measure for a shorter time", r"丢失 \1 个事件（超出缓冲区）：请缩短测量时间"),
    (r"\((prometheus|host|declared)\)", r"（\1）"),
    (r"\byes(?=$|[,;（]|，)", "是"),
    (r"\bno(?=$|[,;（]|，)", "否"),
    (r"(\d) tasks\b", r"\1 个任务"),
    (r"(\d) people\b", r"\1 人"),
    (r"(\d) cores\b", r"\1 核"),
    (r"(\d) min\b", r"\1 分钟"),
    (r"(\d) d\b", r"\1 天"),
    (r"(\d) h\b", r"\1 小时"),
    (r"(\d) s\b", r"\1 秒"),
    (r"\bprometheus\b", "Prometheus"),
    (r"\bhost\b", "主机"),
    (r"\bdeclared\b", "清单声明"),
    (r"; ", "；"),
    (r", ", "，"),
]


def chinese(text: str) -> str:
    """C(text) with every phrase of the judges in Chinese; what is no phrase, as a host's name or a driver's error, stays."""
    for pattern, instead in _PHRASES:
        text = re.sub(pattern, instead, text)
    return text
