/* Copyright (c) 2026, the gpulab.expansion authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libnvidia-ml.so.1 stand-in: simulated GPUs driven by an INI-like state file.
 * State: $NVML_SIM_STATE or /etc/nvml-sim.conf, re-read on every call.
 *   count=8   driver=550.54.14   ...        (before any section: defaults for all)
 *   nodriver=1 | mismatch=1                 (nvmlInit fails as it does without a driver, or with one of another version)
 *   [3]                                     (overrides for GPU 3)
 *   util=97
 *   procs=1234:4096,1235:512                (pid:MiB)
 *   lost=1                                  (fallen off the bus)
 *   handle=999                              (its handle fails with this code, as 8, 11, 16, 999)
 *   error=16                                (all that its handle is asked fails with this code)
 *   unreadable=temp,power                   (these readings fail with "Unknown Error")
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <time.h>
#include <ctype.h>
typedef unsigned int u32; typedef unsigned long long u64; typedef int R;
typedef void *Dev;
enum { OK=0, UNINIT=1, INVAL=2, NOTSUP=3, NOPERM=4, NOTFOUND=6, SMALL=7, NODRV=9, TMO=10, LOST=15, MISMATCH=18, UNKNOWN=999 };
#define MAXG 16
#define EXP __attribute__((visibility("default")))
static int inited; static int handles[MAXG];
struct kv { int g; char k[32], v[512]; }; static struct kv tab[512]; static int ntab;

static void load(void) {
  const char *p = getenv("NVML_SIM_STATE"); if (!p) p = "/etc/nvml-sim.conf";
  FILE *f = fopen(p, "re"); ntab = 0; if (!f) return;
  char l[600]; int g = -1;
  while (fgets(l, sizeof l, f) && ntab < 512) {
    char *s = l; while (isspace(*s)) s++;
    if (*s == '#' || !*s) continue;
    if (*s == '[') { g = atoi(s + 1); continue; }
    char *e = strchr(s, '='); if (!e) continue;
    *e = 0; char *v = e + 1; char *t = e; while (t > s && isspace(t[-1])) *--t = 0;
    while (*v == ' ') v++; v[strcspn(v, "\r\n")] = 0;
    tab[ntab].g = g; snprintf(tab[ntab].k, 32, "%s", s); snprintf(tab[ntab].v, 512, "%s", v); ntab++;
  }
  fclose(f);
}
static const char *gets_(int g, const char *k, const char *d) {
  const char *r = d;
  for (int i = 0; i < ntab; i++) if (!strcmp(tab[i].k, k)) { if (tab[i].g == g && g >= 0) return tab[i].v; if (tab[i].g < 0) r = tab[i].v; }
  return r;
}
static long long geti(int g, const char *k, long long d) { const char *s = gets_(g, k, NULL); return s ? strtoll(s, 0, 0) : d; }
static int count(void) { long long n = geti(-1, "count", 8); return n < 0 ? 0 : n > MAXG ? MAXG : n; }
static int idx(Dev d) { long i = (int *)d - handles; return i >= 0 && i < count() ? (int)i : -1; }
#define ENTER if (!inited) return UNINIT; load();
#define DEV(d) ENTER int g = idx(d); if (g < 0) return INVAL; if (geti(g, "lost", 0)) return LOST; if (geti(g, "error", 0)) return geti(g, "error", 0); (void)g;
#define UN R EXP
static int unreadable(int g, const char *k) { char b[512]; snprintf(b, 512, "%s", gets_(g, "unreadable", "")); for (char *t = strtok(b, ","); t; t = strtok(0, ",")) if (!strcmp(t, k)) return 1; return 0; }
#define READ(k) if (unreadable(g, k)) return UNKNOWN;
static R puts_(char *b, u32 n, const char *s) { if (strlen(s) + 1 > n) return SMALL; strcpy(b, s); return OK; }

UN nvmlInit_v2(void) { load(); if (geti(-1, "nodriver", 0)) return NODRV; if (geti(-1, "mismatch", 0)) return MISMATCH; inited++; return OK; }
UN nvmlInit(void) { return nvmlInit_v2(); }
UN nvmlInitWithFlags(u32 f) { (void)f; return nvmlInit_v2(); }
UN nvmlShutdown(void) { if (!inited) return UNINIT; inited--; return OK; }
EXP const char *nvmlErrorString(R r) {
  switch (r) { case 0: return "Success"; case 1: return "Uninitialized"; case 2: return "Invalid Argument"; case 3: return "Not Supported";
  case 6: return "Not Found"; case 7: return "Insufficient Size"; case 9: return "Driver Not Loaded"; case 10: return "Timeout"; case 4: return "Insufficient Permissions"; case 8: return "Insufficient External Power"; case 11: return "Interrupt Request Issue";
  case 15: return "GPU is lost"; case 16: return "GPU requires reset"; case 18: return "Driver/library version mismatch"; }
  return "Unknown Error"; }
UN nvmlSystemGetDriverVersion(char *b, u32 n) { ENTER return puts_(b, n, gets_(-1, "driver", "550.54.14")); }
UN nvmlSystemGetNVMLVersion(char *b, u32 n) { ENTER return puts_(b, n, gets_(-1, "nvml", "12.550.54.14")); }
UN nvmlSystemGetCudaDriverVersion_v2(int *v) { ENTER *v = geti(-1, "cuda", 12040); return OK; }
UN nvmlSystemGetCudaDriverVersion(int *v) { return nvmlSystemGetCudaDriverVersion_v2(v); }
UN nvmlSystemGetProcessName(u32 pid, char *b, u32 n) { ENTER char p[64]; snprintf(p, 64, "/proc/%u/comm", pid);
  FILE *f = fopen(p, "re"); if (!f) return NOTFOUND; if (!fgets(b, n, f)) b[0] = 0; fclose(f); b[strcspn(b, "\n")] = 0; return OK; }
UN nvmlDeviceGetCount_v2(u32 *n) { ENTER *n = count(); return OK; }
UN nvmlDeviceGetCount(u32 *n) { return nvmlDeviceGetCount_v2(n); }
UN nvmlDeviceGetHandleByIndex_v2(u32 i, Dev *d) { ENTER if ((int)i >= count()) return INVAL; if (geti(i, "lost", 0)) return LOST; if (geti(i, "handle", 0)) return geti(i, "handle", 0); *d = &handles[i]; return OK; }
UN nvmlDeviceGetHandleByIndex(u32 i, Dev *d) { return nvmlDeviceGetHandleByIndex_v2(i, d); }
static void uuid(int g, char *b) { const char *s = gets_(g, "uuid", NULL); char h[128] = ""; gethostname(h, 127);
  u64 x = 1469598103934665603ULL; for (char *p = h; *p; p++) x = (x ^ (unsigned char)*p) * 1099511628211ULL;
  if (s) snprintf(b, 80, "%s", s); else snprintf(b, 80, "GPU-%08x-%04x-4000-8000-%012x", (u32)x, (u32)(x >> 32) & 0xffff, g); }
static u32 bus(int g) { return geti(g, "bus", g < 4 ? g + 1 : 0x80 + g - 3); }
UN nvmlDeviceGetHandleByUUID(const char *s, Dev *d) { ENTER char b[96]; for (int i = 0; i < count(); i++) { uuid(i, b); if (!strcmp(b, s)) { *d = &handles[i]; return OK; } } return NOTFOUND; }
UN nvmlDeviceGetHandleByPciBusId_v2(const char *s, Dev *d) { ENTER u32 dom, b, dv; if (sscanf(s, "%x:%x:%x", &dom, &b, &dv) != 3) return INVAL;
  for (int i = 0; i < count(); i++) if (bus(i) == b) { *d = &handles[i]; return OK; } return NOTFOUND; }
UN nvmlDeviceGetName(Dev d, char *b, u32 n) { DEV(d) return puts_(b, n, gets_(g, "name", "NVIDIA GeForce RTX 4090")); }
UN nvmlDeviceGetUUID(Dev d, char *b, u32 n) { DEV(d) char t[96]; uuid(g, t); return puts_(b, n, t); }
UN nvmlDeviceGetSerial(Dev d, char *b, u32 n) { DEV(d) const char *s = gets_(g, "serial", NULL); return s ? puts_(b, n, s) : NOTSUP; }
UN nvmlDeviceGetIndex(Dev d, u32 *v) { DEV(d) *v = g; return OK; }
UN nvmlDeviceGetMinorNumber(Dev d, u32 *v) { DEV(d) *v = geti(g, "minor", g); return OK; }
UN nvmlDeviceGetBrand(Dev d, u32 *v) { DEV(d) *v = geti(g, "brand", 5); return OK; }
UN nvmlDeviceGetArchitecture(Dev d, u32 *v) { DEV(d) *v = geti(g, "arch", 8); return OK; }
UN nvmlDeviceGetNumGpuCores(Dev d, u32 *v) { DEV(d) *v = geti(g, "cores", 16384); return OK; }
UN nvmlDeviceGetCudaComputeCapability(Dev d, int *a, int *b) { DEV(d) *a = geti(g, "cc_major", 8); *b = geti(g, "cc_minor", 9); return OK; }
UN nvmlDeviceGetVbiosVersion(Dev d, char *b, u32 n) { DEV(d) return puts_(b, n, gets_(g, "vbios", "95.02.3C.00.01")); }
typedef struct { char leg[16]; u32 domain, bus, device, id, sub; char busId[32]; } Pci;
static void pci(int g, Pci *p) { memset(p, 0, sizeof *p); p->bus = bus(g); p->id = geti(g, "pci_id", 0x268410de); p->sub = 0x16f310de;
  p->domain = geti(g, "domain", 0);
  snprintf(p->leg, 16, "%04X:%02X:00.0", p->domain, p->bus); snprintf(p->busId, 32, "%08X:%02X:00.0", p->domain, p->bus); }
UN nvmlDeviceGetPciInfo_v3(Dev d, Pci *p) { DEV(d) pci(g, p); return OK; }
UN nvmlDeviceGetPciInfo_v2(Dev d, Pci *p) { return nvmlDeviceGetPciInfo_v3(d, p); }
UN nvmlDeviceGetPciInfo(Dev d, Pci *p) { return nvmlDeviceGetPciInfo_v3(d, p); }
#define MIB 1048576ULL
static u64 mtot(int g) { return geti(g, "mem_total", 24564) * MIB; }
static u64 mused(int g) { u64 s = geti(g, "mem_used", -1) >= 0 ? (u64)geti(g, "mem_used", 0) : 0; return s * MIB; }
typedef struct { u64 total, free, used; } Mem; typedef struct { u32 version; u64 total, reserved, free, used; } Mem2;
UN nvmlDeviceGetMemoryInfo(Dev d, Mem *m) { DEV(d) m->total = mtot(g); m->used = mused(g) + 400 * MIB; m->free = m->total - m->used; return OK; }
UN nvmlDeviceGetMemoryInfo_v2(Dev d, Mem2 *m) { DEV(d) if (m->version != 0x02000028) return 25; m->total = mtot(g); m->reserved = 400 * MIB; m->used = mused(g); m->free = m->total - m->used - m->reserved; return OK; }
UN nvmlDeviceGetBAR1MemoryInfo(Dev d, u64 *m) { DEV(d) m[0] = 32768 * MIB; m[1] = 32766 * MIB; m[2] = 2 * MIB; return OK; }
UN nvmlDeviceGetUtilizationRates(Dev d, u32 *u) { DEV(d) READ("util") u[0] = geti(g, "util", 0); u[1] = geti(g, "mem_util", 0); return OK; }
UN nvmlDeviceGetEncoderUtilization(Dev d, u32 *u, u32 *p) { DEV(d) *u = geti(g, "enc_util", 0); *p = 167000; return OK; }
UN nvmlDeviceGetDecoderUtilization(Dev d, u32 *u, u32 *p) { DEV(d) *u = geti(g, "dec_util", 0); *p = 167000; return OK; }
UN nvmlDeviceGetTemperature(Dev d, u32 s, u32 *t) { DEV(d) READ("temp") if (s) return INVAL; *t = geti(g, "temp", 35); return OK; }
typedef struct { u32 version; u32 sensor; int temp; } TempV;
UN nvmlDeviceGetTemperatureV(Dev d, TempV *t) { DEV(d) READ("temp") t->temp = geti(g, "temp", 35); return OK; }
UN nvmlDeviceGetTemperatureThreshold(Dev d, u32 k, u32 *t) { DEV(d) static const int th[] = {100, 97, 105, 90}; if (k > 3) return NOTSUP; *t = th[k]; return OK; }
UN nvmlDeviceGetFanSpeed(Dev d, u32 *v) { DEV(d) *v = geti(g, "fan", 30); return OK; }
UN nvmlDeviceGetFanSpeed_v2(Dev d, u32 f, u32 *v) { (void)f; return nvmlDeviceGetFanSpeed(d, v); }
UN nvmlDeviceGetNumFans(Dev d, u32 *v) { DEV(d) *v = geti(g, "fans", 2); return OK; }
UN nvmlDeviceGetPowerUsage(Dev d, u32 *v) { DEV(d) READ("power") *v = geti(g, "power", 20) * 1000; return OK; }
UN nvmlDeviceGetPowerManagementMode(Dev d, u32 *v) { DEV(d) *v = 1; return OK; }
UN nvmlDeviceGetPowerManagementLimit(Dev d, u32 *v) { DEV(d) *v = geti(g, "power_limit", 450) * 1000; return OK; }
UN nvmlDeviceGetPowerManagementDefaultLimit(Dev d, u32 *v) { DEV(d) *v = 450000; return OK; }
UN nvmlDeviceGetEnforcedPowerLimit(Dev d, u32 *v) { return nvmlDeviceGetPowerManagementLimit(d, v); }
UN nvmlDeviceGetPowerManagementLimitConstraints(Dev d, u32 *a, u32 *b) { DEV(d) *a = 150000; *b = 600000; return OK; }
UN nvmlDeviceGetTotalEnergyConsumption(Dev d, u64 *v) { DEV(d) *v = geti(g, "energy", 1000000); return OK; }
UN nvmlDeviceGetPerformanceState(Dev d, u32 *v) { DEV(d) *v = geti(g, "pstate", 8); return OK; }
UN nvmlDeviceGetCurrentClocksEventReasons(Dev d, u64 *v) { DEV(d) *v = geti(g, "throttle", 1); return OK; }
UN nvmlDeviceGetCurrentClocksThrottleReasons(Dev d, u64 *v) { return nvmlDeviceGetCurrentClocksEventReasons(d, v); }
UN nvmlDeviceGetSupportedClocksEventReasons(Dev d, u64 *v) { DEV(d) *v = 0x1ff; return OK; }
UN nvmlDeviceGetSupportedClocksThrottleReasons(Dev d, u64 *v) { DEV(d) *v = 0x1ff; return OK; }
static const char *ck[] = {"clk_gfx", "clk_sm", "clk_mem", "clk_vid"}; static const int cd[] = {210, 210, 405, 1185}, cm[] = {3105, 3105, 10501, 2415};
UN nvmlDeviceGetClockInfo(Dev d, u32 t, u32 *v) { DEV(d) if (t > 3) return INVAL; *v = geti(g, ck[t], cd[t]); return OK; }
UN nvmlDeviceGetMaxClockInfo(Dev d, u32 t, u32 *v) { DEV(d) if (t > 3) return INVAL; *v = cm[t]; return OK; }
UN nvmlDeviceGetApplicationsClock(Dev d, u32 t, u32 *v) { DEV(d) if (t > 3) return INVAL; *v = t == 2 ? 10501 : 2520; return OK; }
UN nvmlDeviceSetApplicationsClocks(Dev d, u32 a, u32 b) { DEV(d) (void)a; (void)b; return NOTSUP; }
UN nvmlDeviceResetApplicationsClocks(Dev d) { DEV(d) return NOTSUP; }
static R lst(u32 *n, u32 *o, const u32 *s, u32 c) { if (!o || *n < c) { *n = c; return SMALL; } memcpy(o, s, c * 4); *n = c; return OK; }
UN nvmlDeviceGetSupportedMemoryClocks(Dev d, u32 *n, u32 *o) { DEV(d) static const u32 s[] = {10501, 5001, 810, 405}; return lst(n, o, s, 4); }
UN nvmlDeviceGetSupportedGraphicsClocks(Dev d, u32 m, u32 *n, u32 *o) { DEV(d) (void)m; static const u32 s[] = {3105, 2520, 1500, 210}; return lst(n, o, s, 4); }
UN nvmlDeviceGetPersistenceMode(Dev d, u32 *v) { DEV(d) *v = geti(g, "persistence", 0); return OK; }
UN nvmlDeviceSetPersistenceMode(Dev d, u32 v) { DEV(d) (void)v; return geteuid() ? NOPERM : OK; }
UN nvmlDeviceGetComputeMode(Dev d, u32 *v) { DEV(d) *v = geti(g, "compute_mode", 0); return OK; }
UN nvmlDeviceGetDisplayMode(Dev d, u32 *v) { DEV(d) *v = 0; return OK; }
UN nvmlDeviceGetDisplayActive(Dev d, u32 *v) { DEV(d) *v = 0; return OK; }
UN nvmlDeviceGetEccMode(Dev d, u32 *a, u32 *b) { DEV(d) long long e = geti(g, "ecc", -1); if (e < 0) return NOTSUP; *a = e; *b = geti(g, "ecc_pending", e); return OK; }
UN nvmlDeviceGetTotalEccErrors(Dev d, u32 t, u32 c, u64 *v) { DEV(d) if (geti(g, "ecc", -1) <= 0) return NOTSUP; *v = geti(g, t ? (c ? "ecc_unc" : "ecc_unc_new") : "ecc_corr", 0); return OK; }
UN nvmlDeviceGetMemoryErrorCounter(Dev d, u32 t, u32 c, u32 l, u64 *v) { (void)l; return nvmlDeviceGetTotalEccErrors(d, t, c, v); }
UN nvmlDeviceGetRetiredPages(Dev d, u32 c, u32 *n, u64 *a) { DEV(d) (void)c; (void)a; if (geti(g, "ecc", -1) < 0) return NOTSUP; *n = 0; return OK; }
UN nvmlDeviceGetRetiredPagesPendingStatus(Dev d, u32 *v) { DEV(d) if (geti(g, "ecc", -1) < 0) return NOTSUP; *v = geti(g, "retired_pending", 0); return OK; }
UN nvmlDeviceGetRemappedRows(Dev d, u32 *c, u32 *u, u32 *p, u32 *f) { DEV(d) if (geti(g, "ecc", -1) < 0) return NOTSUP; *c = geti(g, "remap_corr", 0); *u = geti(g, "remap_unc", 0); *p = geti(g, "remap_pending", 0); *f = geti(g, "remap_failure", 0); return OK; }
UN nvmlDeviceGetPcieThroughput(Dev d, u32 c, u32 *v) { DEV(d) *v = geti(g, c ? "pcie_rx" : "pcie_tx", 0); return OK; }
UN nvmlDeviceGetCurrPcieLinkGeneration(Dev d, u32 *v) { DEV(d) *v = geti(g, "pcie_gen", 4); return OK; }
UN nvmlDeviceGetMaxPcieLinkGeneration(Dev d, u32 *v) { DEV(d) *v = 4; return OK; }
UN nvmlDeviceGetCurrPcieLinkWidth(Dev d, u32 *v) { DEV(d) *v = geti(g, "pcie_width", 16); return OK; }
UN nvmlDeviceGetMaxPcieLinkWidth(Dev d, u32 *v) { DEV(d) *v = 16; return OK; }
UN nvmlDeviceGetPcieReplayCounter(Dev d, u32 *v) { DEV(d) *v = geti(g, "pcie_replay", 0); return OK; }
/* MIG: not on GeForce */
UN nvmlDeviceGetMigMode(Dev d, u32 *a, u32 *b) { DEV(d) long long m = geti(g, "mig", -1); if (m < 0) return NOTSUP; *a = *b = m; return OK; }
UN nvmlDeviceGetMaxMigDeviceCount(Dev d, u32 *v) { DEV(d) *v = geti(g, "mig", -1) < 0 ? 0 : 7; return OK; }
UN nvmlDeviceGetMigDeviceHandleByIndex(Dev d, u32 i, Dev *o) { DEV(d) (void)i; (void)o; return NOTFOUND; }
UN nvmlDeviceIsMigDeviceHandle(Dev d, u32 *v) { DEV(d) *v = 0; return OK; }
UN nvmlDeviceGetGpuInstanceId(Dev d, u32 *v) { DEV(d) (void)v; return NOTSUP; }
UN nvmlDeviceGetComputeInstanceId(Dev d, u32 *v) { DEV(d) (void)v; return NOTSUP; }
UN nvmlDeviceGetAttributes_v2(Dev d, void *v) { DEV(d) (void)v; return NOTSUP; }
/* NVLink / topology. nvlink=1: every GPU has nvlinks (default 4) active links */
static int links(int g) { return geti(g, "nvlinks", 0); }
UN nvmlDeviceGetNvLinkState(Dev d, u32 l, u32 *v) { DEV(d) if (!links(g)) return NOTSUP; if ((int)l >= links(g)) return INVAL; *v = (int)l >= geti(g, "nvlinks_down", 0); return OK; }
UN nvmlDeviceGetNvLinkVersion(Dev d, u32 l, u32 *v) { DEV(d) if ((int)l >= links(g)) return NOTSUP; *v = 4; return OK; }
UN nvmlDeviceGetNvLinkCapability(Dev d, u32 l, u32 c, u32 *v) { DEV(d) (void)c; if ((int)l >= links(g)) return NOTSUP; *v = 1; return OK; }
UN nvmlDeviceGetNvLinkRemotePciInfo_v2(Dev d, u32 l, Pci *p) { DEV(d) if ((int)l >= links(g)) return NOTSUP; pci((g + 1 + l) % count(), p); return OK; }
UN nvmlDeviceGetNvLinkErrorCounter(Dev d, u32 l, u32 c, u64 *v) { DEV(d) (void)c; if ((int)l >= links(g)) return NOTSUP; *v = geti(g, "nvlink_err", 0); return OK; }
static int numa(int g) { return geti(g, "numa", g < count() / 2 ? 0 : 1); }
static u32 level(int a, int b) { return a == b ? 0 : numa(a) != numa(b) ? 50 : a / 2 == b / 2 ? 30 : 40; }
UN nvmlDeviceGetTopologyCommonAncestor(Dev a, Dev b, u32 *v) { DEV(a) int h = idx(b); if (h < 0) return INVAL; *v = level(g, h); return OK; }
UN nvmlDeviceGetTopologyNearestGpus(Dev d, u32 lv, u32 *n, Dev *o) { DEV(d) u32 c = 0; for (int i = 0; i < count(); i++) if (i != g && level(g, i) == lv) { if (o && c < *n) o[c] = &handles[i]; c++; } *n = c; return OK; }
UN nvmlSystemGetTopologyGpuSet(u32 cpu, u32 *n, Dev *o) { ENTER u32 c = 0; (void)cpu; for (int i = 0; i < count(); i++) { if (o && c < *n) o[c] = &handles[i]; c++; } *n = c; return OK; }
UN nvmlDeviceGetP2PStatus(Dev a, Dev b, u32 k, u32 *v) { DEV(a) int h = idx(b); if (h < 0) return INVAL; (void)k; *v = geti(g, "p2p", links(g) ? 0 : 1); return OK; }
UN nvmlDeviceGetNumaNodeId(Dev d, u32 *v) { DEV(d) *v = numa(g); return OK; }
UN nvmlDeviceGetCpuAffinity(Dev d, u32 n, unsigned long *s) { DEV(d) memset(s, 0, n * sizeof *s); const char *m = gets_(g, "cpus", NULL);
  if (m) { char b[512]; snprintf(b, 512, "%s", m); for (char *t = strtok(b, ","); t; t = strtok(0, ",")) { int a, z; int k = sscanf(t, "%d-%d", &a, &z); if (k < 1) continue; if (k == 1) z = a; for (int i = a; i <= z; i++) if ((u32)i < n * 64) s[i / 64] |= 1UL << (i % 64); } }
  else { int c = sysconf(_SC_NPROCESSORS_CONF); for (int i = 0; i < c && (u32)i < n * 64; i++) s[i / 64] |= 1UL << (i % 64); }
  return OK; }
/* Processes */
typedef struct { u32 pid; u64 mem; u32 gi, ci; } P2; typedef struct { u32 pid; u64 mem; } P1;
static R procs(int g, const char *key, u32 *n, void *o, int v) { P2 t[64]; u32 c = 0; char b[512]; snprintf(b, 512, "%s", gets_(g, key, ""));
  for (char *s = strtok(b, ", "); s && c < 64; s = strtok(0, ", ")) { u32 p; u64 m; if (sscanf(s, "%u:%llu", &p, &m) == 2) { t[c].pid = p; t[c].mem = m * MIB; t[c].gi = t[c].ci = ~0u; c++; } }
  if (*n < c || (c && !o)) { *n = c; return SMALL; }
  for (u32 i = 0; i < c; i++) if (v == 1) { ((P1 *)o)[i].pid = t[i].pid; ((P1 *)o)[i].mem = t[i].mem; } else ((P2 *)o)[i] = t[i];
  *n = c; return OK; }
#define PR(nm, key, v) UN nm(Dev d, u32 *n, void *o) { DEV(d) return procs(g, key, n, o, v); }
PR(nvmlDeviceGetComputeRunningProcesses, "procs", 1) PR(nvmlDeviceGetComputeRunningProcesses_v2, "procs", 2) PR(nvmlDeviceGetComputeRunningProcesses_v3, "procs", 2)
PR(nvmlDeviceGetGraphicsRunningProcesses, "gprocs", 1) PR(nvmlDeviceGetGraphicsRunningProcesses_v2, "gprocs", 2) PR(nvmlDeviceGetGraphicsRunningProcesses_v3, "gprocs", 2)
PR(nvmlDeviceGetMPSComputeRunningProcesses_v2, "mprocs", 2) PR(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mprocs", 2)
typedef struct { u32 pid; u64 ts; u32 sm, mem, enc, dec; } PU;
UN nvmlDeviceGetProcessUtilization(Dev d, PU *o, u32 *n, u64 since) { DEV(d) (void)since; P2 t[64]; u32 c = 64; R r = procs(g, "procs", &c, t, 2); if (r) return r; if (!c) { *n = 0; return NOTFOUND; }
  if (!o || *n < c) { *n = c; return SMALL; } for (u32 i = 0; i < c; i++) { memset(&o[i], 0, sizeof *o); o[i].pid = t[i].pid; o[i].ts = (u64)time(0) * 1000000; o[i].sm = geti(g, "util", 0) / c; o[i].mem = geti(g, "mem_util", 0) / c; } *n = c; return OK; }
/* XID events: the pair (xid, xid_seq) of a GPU changing delivers one critical-XID event */
typedef struct { Dev d; u64 type, data; u32 gi, ci; } Ev; typedef struct { u64 mask[MAXG]; char last[MAXG][64]; } Set;
static void sig(int g, char *b) { snprintf(b, 64, "%lld/%lld", geti(g, "xid", 0), geti(g, "xid_seq", 0)); }
UN nvmlEventSetCreate(Set **s) { ENTER *s = calloc(1, sizeof **s); for (int i = 0; i < MAXG; i++) sig(i, (*s)->last[i]); return OK; }
UN nvmlDeviceGetSupportedEventTypes(Dev d, u64 *v) { DEV(d) *v = 0x8; return OK; }
UN nvmlDeviceRegisterEvents(Dev d, u64 m, Set *s) { DEV(d) if (m & ~0x1fULL) return NOTSUP; s->mask[g] |= m; return OK; }
UN nvmlEventSetWait_v2(Set *s, Ev *e, u32 ms) { for (u64 t = 0;; t += 50) { ENTER
    for (int i = 0; i < count(); i++) { char b[64]; sig(i, b); if ((s->mask[i] & 8) && strcmp(b, s->last[i])) { strcpy(s->last[i], b); if (!geti(i, "xid", 0)) continue;
      memset(e, 0, sizeof *e); e->d = &handles[i]; e->type = 8; e->data = geti(i, "xid", 0); e->gi = e->ci = ~0u; return OK; } }
    if (t >= ms) return TMO; usleep(50000); } }
UN nvmlEventSetWait(Set *s, Ev *e, u32 ms) { return nvmlEventSetWait_v2(s, e, ms); }
UN nvmlEventSetFree(Set *s) { free(s); return OK; }
/* Field values: power average/instant, NVLink count, temperatures; the rest NOT_SUPPORTED per field */
typedef struct { u32 id, scope; int64_t ts, lat; u32 vt; R rc; union { double d; u32 ui; u64 ull; } v; } FV;
UN nvmlDeviceGetFieldValues(Dev d, int n, FV *f) { DEV(d) for (int i = 0; i < n; i++) { f[i].ts = (int64_t)time(0) * 1000000; f[i].lat = 0; f[i].vt = 1; f[i].rc = OK; f[i].v.ull = 0;
    switch (f[i].id) { case 185: case 186: f[i].v.ui = geti(g, "power", 20) * 1000; break; case 91: f[i].v.ui = links(g); break; case 82: f[i].v.ui = geti(g, "mem_temp", 50); break; default: f[i].rc = NOTSUP; } } return OK; }
