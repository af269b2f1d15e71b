# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the judges say, in Chinese. Pure.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
Whole sentences have their Chinese where they are said. Here are the parts that sentences are put together from; a test asks for those of every
situation that is tested.
"""

from __future__ import annotations

import re

from ..module_utils._gpu import model as gpu
from ..module_utils._images import compatibility
from ..module_utils._phrases import in_chinese
from ..module_utils._usage import sudoers

_SENTENCES = (*gpu.PHRASES, *compatibility.PHRASES, *sudoers.PHRASES)
_PARTS = [
    # of roadmap modules
    (r"\bchecked on ", "已检查："),
    (r"\bdeployed and verified on ", "已部署并验证："),
    (r"\bnot brought to its end on ", "未完成："),
    (r"^stopped by its gate$", "未满足准入条件，已停止"),
    (r"^left out: ", "未包含："),
    (r"^skipped: the group (\S+) is empty$", r"已跳过：主机组 \1 为空"),
    (r"^(\S+) is overridden by (.+?) until (\d{4}-\d\d-\d\d): ", r"\1 由 \2 放行至 \3："),
    (r"no host has one of lab_licence_files", "没有主机存有 lab_licence_files 中的授权文件"),
    (r"nobody measures or declares it", "既无测量也无声明"),
    (r"^(\S+) says (.+), but (\S+) says (.+)$", r"\1 为 \2，而 \3 为 \4"),
    (r"it was read in the future: the clocks disagree", "读数时间在未来：时钟不一致"),
    (r"it is (\d+) h old", r"读数已过去 \1 小时"),
    (r"it is not a number", "不是数值"),
    (r"it is not known", "未知"),
    (r"it has no history, and (.+?) are needed", r"没有历史数据，需要 \1"),
    (r"its history shows (\d+%) of (.+?), and (\d+%) are needed", r"历史数据仅覆盖 \2 的 \1，需要 \3"),
    (
        r"its series in Prometheus have no label gpu, device or uuid: keep one in the query of (\w+)",
        r"Prometheus 中的序列没有标签 gpu、device 或 uuid：请在 \1 的查询中保留其一",
    ),
    (r"so for (\d+%) of ([\d.e+]+ \w+)", r"在 \2 内有 \1 的时间如此"),
    (r", last (\S+ ?\S*)", r"，最近为 \1"),
    (r"; whether for (.+?) is not known", r"；是否持续 \1 未知"),
    (r" over (\d+%) of ([\d.]+ \w+)", r"（观察 \2 的 \1）"),
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
    text = in_chinese(text, _SENTENCES)
    for pattern, instead in _PARTS:
        text = re.sub(pattern, instead, text)
    return text
