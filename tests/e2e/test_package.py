"""Packages: what cpack makes is installed in clean systems, runs there, and goes without a trace."""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(argv, **kwargs):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, **{"timeout": 600, **kwargs})


def ok(argv, **kwargs):
    done = run(argv, **kwargs)
    assert done.returncode == 0, f"{argv}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder with the packages of this tree, as the preset `package` makes them."""
    if not shutil.which("dpkg-shlibdeps"):
        pytest.skip("dpkg-dev is not installed: cpack cannot find out what the packages depend on")
    folder = tmp_path_factory.mktemp("package")
    ok(["cmake", "--preset", "package", "-Wno-dev", "-B", folder], cwd=ROOT)
    ok(["cmake", "--build", folder])
    for kind in ("DEB", "TGZ", *(["RPM"] if shutil.which("rpmbuild") else [])):
        ok(["cpack", "-G", kind], cwd=folder)
    return folder / "packages"


def archive(packages, pattern):
    (found,) = packages.glob(pattern)
    return found


def test_each_file_is_in_one_package(packages):
    seen = {}
    for package in packages.glob("*.deb"):
        for line in ok(["dpkg-deb", "-c", package]).splitlines():
            path = line.split()[5]
            if not path.endswith("/"):
                assert path not in seen, f"{path} is in {seen[path]} and {package.name}"
                seen[path] = package.name
    owners = {pathlib.PurePath(path).name: package.split("_")[0] for path, package in seen.items()}
    assert owners["rustscope.h"] == owners["librustscope.a"] == owners["rustscope.pc"] == "librustscope-dev"
    assert owners["librustscope.so.0"] == "librustscope0"
    assert owners["librustscope_shim.so"] == owners["rustscope.1"] == owners["_rustscope"] == "rustscope"


def test_the_command_is_hardened(packages, tmp_path):
    ok(["dpkg-deb", "-x", archive(packages, "rustscope_*.deb"), tmp_path])
    command = tmp_path / "usr/bin/rustscope"
    assert "DYN (Position-Independent Executable file)" in ok(["readelf", "-h", command])
    dynamic = ok(["readelf", "-Wd", command])
    assert "BIND_NOW" in dynamic and "GNU_RELRO" in ok(["readelf", "-Wl", command])
    imported = ok(["nm", "-D", "--undefined-only", command])
    assert "__stack_chk_fail" in imported and "_chk@" in imported.replace("__stack_chk_fail", "")


def test_rpms_hold_the_same(packages):
    if not list(packages.glob("*.rpm")):
        pytest.skip("rpmbuild is not installed")
    listed = ok(["rpm", "-qlp", *packages.glob("*.rpm")])
    for name in ("/usr/bin/rustscope", "/librustscope_shim.so", "/librustscope.so.0", "/usr/include/rustscope.h"):
        assert name in listed
    # The folders belong to the system.
    assert "/usr/share/man/man1\n" not in listed and "/usr/bin\n" not in listed


def test_the_archive_runs_from_any_folder(packages, target, tmp_path):
    with tarfile.open(archive(packages, "*.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(tmp_path)
    (command,) = tmp_path.rglob("bin/rustscope")
    out = tmp_path / "out.json"
    ok([command, "--no-tui", "-q", "-o", out, "--", target("alloc_family")])
    assert json.loads(out.read_text())["diagnostics"]["alloc_backend"] == "shim"


@pytest.fixture(scope="module")
def clean_system(tmp_path_factory):
    """A Debian with nothing but its base, in a folder: debootstrap's, from the mirror that apt is set up for."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap for a clean system")
    codename = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    mirror = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).stdout.split()
    if not mirror or "VERSION_CODENAME" not in codename:
        pytest.skip("apt has no mirror of this system")
    root = tmp_path_factory.mktemp("system")
    made = run(["debootstrap", "--variant=minbase", codename["VERSION_CODENAME"], root, mirror[0]])
    if made.returncode:
        pytest.skip(f"debootstrap could not make a system: {made.stdout[-200:]}")
    ok(["mount", "-t", "proc", "proc", root / "proc"])
    ok(["mount", "-t", "tmpfs", "tmpfs", root / "dev" / "shm"])
    yield root
    subprocess.run(["umount", root / "proc", root / "dev" / "shm"], check=False)
    shutil.rmtree(root, ignore_errors=True)


def files(root):
    found = subprocess.run(["find", ".", "-path", "./proc", "-prune", "-o", "-path", "./var", "-prune", "-o", "-path", "./tmp", "-prune",
                            "-o", "-not", "-type", "d", "-print"], cwd=root, capture_output=True, text=True, check=True)  # fmt: skip
    return set(found.stdout.splitlines())


def test_debian_packages_install_run_and_go(packages, clean_system):
    root = clean_system
    inside = ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    before = files(root)
    for package in packages.glob("*.deb"):
        shutil.copy(package, root / "tmp")
    ok([*inside, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends /tmp/*.deb"])

    version = ok([*inside, "rustscope", "--version"])
    assert version.startswith("rustscope ")
    ok([*inside, "sh", "-c", "cd /tmp && rustscope --no-tui -q -o out.json -- perl -e 'my @a = map { $_ x 100 } 1..200000'"])
    session = json.loads((root / "tmp" / "out.json").read_text())
    assert session["diagnostics"]["alloc_backend"] == "shim" and session["summary"]["total_allocations"] > 200000
    assert "perl" in ok([*inside, "rustscope", "report", "/tmp/out.json"])
    assert "librustscope.so.0" in ok([*inside, "ldconfig", "-p"])

    ok([*inside, "apt-get", "purge", "-y", "-qq", "--auto-remove", "rustscope", "librustscope0", "librustscope-dev"])
    # The cache of symbols is the user's.
    left = {path for path in files(root) - before if "rustscope" in path and not path.startswith("./root/.cache/")}
    assert not left
