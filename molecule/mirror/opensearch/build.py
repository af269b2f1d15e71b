# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs OpenSearch as opensearch_VERSION_all.deb, with upstream's paths, out of the artifacts that upstream publishes for Maven.

Upstream's own package is not in any registry, so the box's package source gets one that looks the same to a role: /usr/share/opensearch, /etc/opensearch,
opensearch.service, user opensearch. What upstream adds to it (index management, alerting, dashboards) is not published that way and not in here.

    python build.py DIRECTORY
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile

VERSION = "2.19.4"
CLASSLOADER = "2.19.1"  # the loader of plugins is not published for 2.19.4
PLUGINS = ("opensearch-security", "opensearch-job-scheduler")
SEARCH, PLUGIN = "org.opensearch", "org.opensearch.plugin"
SERVER = [(SEARCH, "opensearch", VERSION), ("org.apache.logging.log4j", "log4j-core", "2.21.0"), ("org.apache.logging.log4j", "log4j-jul", "2.21.0")]
SERVER.append((SEARCH, "opensearch-plugin-classloader", CLASSLOADER))
_SOCKETS = 'permission java.net.SocketPermission "*", "accept,connect";'
_LOADER = 'permission java.lang.RuntimePermission "createClassLoader";'
_CLASSES = """
    java.lang.String java.lang.Math org.apache.lucene.expressions.Expression org.apache.lucene.search.DoubleValues
    org.apache.lucene.util.MathUtil org.apache.lucene.util.SloppyMath
"""

# The published jars lack their descriptors: module -> (artifacts, class, plugins that it extends, what Java's security must grant it)
MODULES: dict[str, tuple[list[str], str, str, list[str]]] = {
    "transport-netty4": (
        ["transport-netty4-client"],
        "org.opensearch.transport.Netty4Plugin",
        "",
        [
            _SOCKETS,
            'permission java.io.FilePermission "/proc/sys/net/core/somaxconn", "read";',
            'permission java.lang.RuntimePermission "*", "setContextClassLoader";',
            'permission java.lang.RuntimePermission "getClassLoader";',
            'permission java.lang.RuntimePermission "setContextClassLoader";',
            'permission java.util.PropertyPermission "sun.nio.ch.bugLevel", "write";',
        ],
    ),
    "reindex": (
        ["reindex-client"],
        "org.opensearch.index.reindex.ReindexPlugin",
        "",
        ['permission java.net.SocketPermission "*", "connect";', 'permission java.net.NetPermission "getProxySelector";'],
    ),
    "parent-join": (["parent-join-client"], "org.opensearch.join.ParentJoinPlugin", "", []),
    "percolator": (["percolator-client"], "org.opensearch.percolator.PercolatorPlugin", "", []),
    "rank-eval": (["rank-eval-client"], "org.opensearch.index.rankeval.RankEvalPlugin", "", []),
    "mapper-extras": (["mapper-extras-client"], "org.opensearch.index.mapper.MapperExtrasPlugin", "", []),
    "aggs-matrix-stats": (["aggs-matrix-stats-client"], "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin", "", []),
    "lang-mustache": (
        ["lang-mustache-client"],
        "org.opensearch.script.mustache.MustachePlugin",
        "",
        ['permission java.lang.RuntimePermission "accessDeclaredMembers";'],
    ),
    "lang-painless": (
        ["lang-painless", "opensearch-scripting-painless-spi"],
        "org.opensearch.painless.PainlessPlugin",
        "",
        [_LOADER, 'permission java.lang.RuntimePermission "getClassLoader";'],
    ),
    "lang-expression": (
        ["lang-expression"],
        "org.opensearch.script.expression.ExpressionPlugin",
        "",
        [_LOADER, *(f'permission org.opensearch.script.ClassPermission "{name}";' for name in _CLASSES.split())],
    ),
    "ingest-common": (["ingest-common"], "org.opensearch.ingest.common.IngestCommonPlugin", "lang-painless", []),
    "ingest-user-agent": (["ingest-user-agent"], "org.opensearch.ingest.useragent.IngestUserAgentPlugin", "", []),
    "analysis-common": (["analysis-common"], "org.opensearch.analysis.common.CommonAnalysisPlugin", "lang-painless", []),
    "geo": (["geo"], "org.opensearch.geo.GeoModulePlugin", "", []),
    "repository-url": (
        ["repository-url"],
        "org.opensearch.plugin.repository.url.URLRepositoryPlugin",
        "",
        ['permission java.net.SocketPermission "*", "connect";'],
    ),
    "search-pipeline-common": (["search-pipeline-common"], "org.opensearch.search.pipeline.common.SearchPipelineCommonModulePlugin", "", []),
    "cache-common": (["cache-common"], "org.opensearch.cache.common.tier.TieredSpilloverCachePlugin", "", [_LOADER]),
}


def pom(artifact: str, dependencies: list[tuple[str, str, str]], modules: list[str]) -> str:
    """A Maven project; with C(modules) one that only holds others, so that one start of Maven resolves them all."""
    listed = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in dependencies
    )
    inner = "".join(f"<module>{name}</module>" for name in modules)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>box</groupId>'
        f"<artifactId>{artifact}</artifactId><version>1</version>{'<packaging>pom</packaging>' if modules else ''}"
        f"<modules>{inner}</modules><dependencies>{listed}</dependencies></project>"
    )


def resolve(work: pathlib.Path) -> None:
    """The jars of the server in C(work)/server/out, of each module in C(work)/MODULE/out, the zips of the plugins in C(work)/zips."""
    projects = {"server": SERVER}
    projects.update({name: [(PLUGIN, artifact, VERSION) for artifact in artifacts] for name, (artifacts, *_rest) in MODULES.items()})
    for name, dependencies in projects.items():
        (work / name).mkdir()
        (work / name / "pom.xml").write_text(pom(name, dependencies, []), encoding="ascii")
    (work / "pom.xml").write_text(pom("all", [], list(projects)), encoding="ascii")
    maven = ["mvn", "-B", "-q"]
    copy = [*maven, "-f", str(work / "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=${project.basedir}/out"]
    subprocess.run(copy, check=True)
    for plugin in PLUGINS:
        what = f"-Dartifact={PLUGIN}:{plugin}:{VERSION}.0:zip"
        subprocess.run([*maven, "dependency:copy", what, f"-DoutputDirectory={work / 'zips'}"], check=True)


def descriptor(name: str) -> str:
    _artifacts, main, extends, _grants = MODULES[name]
    return textwrap.dedent(
        f"""\
        description={name}
        version={VERSION}
        opensearch.version={VERSION}
        name={name}
        java.version=11
        classname={main}
        extended.plugins={extends}
        has.native.controller=false
        """
    )


def tree(work: pathlib.Path, root: pathlib.Path) -> None:
    """The files of the package."""
    here = pathlib.Path(__file__).resolve().parent
    home = root / "usr/share/opensearch"
    shutil.copytree(work / "server/out", home / "lib")
    known = {jar.name for jar in (home / "lib").iterdir()}
    for name, (*_what, grants) in MODULES.items():
        target = home / "modules" / name
        target.mkdir(parents=True)
        for jar in (work / name / "out").iterdir():
            if jar.name not in known:
                shutil.copy(jar, target)
        (target / "plugin-descriptor.properties").write_text(descriptor(name), encoding="ascii")
        if grants:
            (target / "plugin-security.policy").write_text("grant {\n" + "".join(f"  {grant}\n" for grant in grants) + "};\n", encoding="ascii")
    for plugin in PLUGINS:
        with zipfile.ZipFile(work / "zips" / f"{plugin}-{VERSION}.0.zip") as archive:
            archive.extractall(home / "plugins" / plugin)
    shutil.copytree(here / "etc", root / "etc")
    (root / "etc/opensearch/jvm.options.d").mkdir()
    # the security plugin brings its own first configuration
    shutil.move(str(home / "plugins/opensearch-security/config"), str(root / "etc/opensearch/opensearch-security"))
    for script in (home / "plugins/opensearch-security/tools").glob("*.sh"):
        script.chmod(0o755)
    (home / "bin").mkdir()
    shutil.copy(here / "opensearch", home / "bin/opensearch")
    (home / "bin/opensearch").chmod(0o755)
    (root / "usr/lib/systemd/system").mkdir(parents=True)
    shutil.copy(here / "opensearch.service", root / "usr/lib/systemd/system/")
    for folder in ("var/lib/opensearch", "var/log/opensearch"):
        (root / folder).mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    control = (here / "control").read_text(encoding="ascii").replace("@VERSION@", VERSION)
    (root / "DEBIAN/control").write_text(control, encoding="ascii")
    for script_name in ("postinst", "conffiles"):
        shutil.copy(here / script_name, root / "DEBIAN" / script_name)
    (root / "DEBIAN/postinst").chmod(0o755)


def main(out: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        work, root = pathlib.Path(tmp) / "work", pathlib.Path(tmp) / "root"
        work.mkdir()
        resolve(work)
        tree(work, root)
        subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", str(root), str(out / f"opensearch_{VERSION}_all.deb")], check=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
