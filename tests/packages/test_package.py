"""The packages of build/packages in fresh roots. ./dev test package makes them first."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

TREE = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(TREE / "tests"), str(TREE / "tests/packages")]

from publisher import Publisher  # noqa: E402
from root import Service, make_root  # noqa: E402
from support.processes import Process, free_port, wait_until  # noqa: E402

PACKAGES = sorted((TREE / "build/packages").glob("*.deb"))
SUITE = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M).group(1)
NATIVE = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()

BUILT = os.environ.get("SLUICE_BUILT", "build/release")


def package_of(arch):
    found = [package for package in PACKAGES if package.name.endswith(f"_{arch}.deb")]
    if not found:
        pytest.skip(f"no package for {arch}")
    return max(found, key=os.path.getmtime)


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", str(package), name], capture_output=True, text=True, check=True).stdout.strip()


def with_version(package, version, folder):
    """The same package as a later or earlier release."""
    tree, result = folder / version, folder / f"sluice_{version}.deb"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version:.*$", f"Version: {version}", control.read_text(), flags=re.M))
    subprocess.run(["dpkg-deb", "-Zxz", "-z1", "--root-owner-group", "-b", str(tree), str(result)], check=True,
                   capture_output=True)
    return result


@pytest.fixture
def root(tmp_path):
    made = make_root(tmp_path / "root", SUITE)
    yield made
    shutil.rmtree(made.path)


def numbers(root):
    log = root.run("sluice", "log", "cat", "telemetry", "--data-dir", "/var/lib/sluice", "--json").stdout
    return [json.loads(json.loads(line)["value"])["number"] for line in log.splitlines()]


def test_from_installation_to_purge_nothing_acknowledged_is_lost(root, tmp_path):
    package = package_of(NATIVE)
    root.install(package)
    uid, _ = root.user()
    assert root.asked() == ["start sluice.service"]
    assert (root.path / "etc/systemd/system/multi-user.target.wants/sluice.service").is_symlink()
    verified = root.run("systemd-analyze", "verify", "--man=no", "sluice.service", check=False)
    assert "sluice" not in verified.stderr, verified.stderr
    service = Service(root)
    service.start()
    publisher = Publisher(service.port)

    def goes_on():
        before = publisher.count()
        wait_until(lambda: publisher.count() > before + 100, 30, service.process.output)

    try:
        goes_on()
        higher = with_version(package, field(package, "Version") + "+later", tmp_path)
        root.install(higher)
        assert root.version() == field(higher, "Version")
        assert service.process.is_running(), "stopped although it is only restarted when all is unpacked"
        assert root.asked() == ["restart sluice.service"]
        service.restart()
        goes_on()
        root.install(package, "--allow-downgrades")
        assert root.version() == field(package, "Version")
        assert root.asked() == ["restart sluice.service"]
        service.restart()
        goes_on()
    finally:
        acknowledged = publisher.stop()
    service.stop()
    kept = numbers(root)
    assert acknowledged <= set(kept), f"lost: {sorted(acknowledged - set(kept))[:10]}"
    assert len(acknowledged) > 300

    root.run("apt-get", "remove", "-q", "-y", "sluice")
    assert "stop sluice.service" in root.asked()
    assert (root.path / "etc/sluice/sluice.toml").exists() and (root.path / "var/lib/sluice/catalog.db").exists()
    root.run("dpkg", "--purge", "sluice")
    assert root.left() == []
    assert root.run("dpkg-query", "-s", "sluice", check=False).returncode == 1
    assert uid > 0 and uid < 1000


def test_a_changed_configuration_survives_an_upgrade(root, tmp_path):
    package = package_of(NATIVE)
    root.install(package)
    config = root.path / "etc/sluice/sluice.toml"
    config.write_text(config.read_text() + "# changed here\n")
    root.install(with_version(package, field(package, "Version") + "+later", tmp_path))
    assert config.read_text().endswith("# changed here\n")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_lintian_finds_no_error(package):
    result = subprocess.run(["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", str(package)],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_packing_again_gives_the_same_bytes():
    def packed():
        subprocess.run(["cross/package", NATIVE, SUITE, BUILT], cwd=TREE, check=True, capture_output=True)
        return hashlib.sha256(package_of(NATIVE).read_bytes()).hexdigest()

    assert packed() == packed()


@pytest.mark.parametrize(("arch", "emulator"), [("arm64", "qemu-aarch64-static"), ("armhf", "qemu-arm-static")])
def test_what_an_arm_package_declares_is_all_that_it_needs(arch, emulator, tmp_path):
    package, root = package_of(arch), tmp_path / "root"
    depends = [re.sub(r"[ (|].*", "", one.strip()) for one in field(package, "Depends").split(",")]
    subprocess.run([TREE / "cross/sysroot", arch, SUITE, root, *depends], cwd=TREE, check=True)
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    sluice, port = [emulator, "-L", str(root), str(root / "usr/bin/sluice")], free_port()
    version = subprocess.run([*sluice, "version"], capture_output=True, text=True, check=False)
    assert version.returncode == 0 and field(package, "Version").startswith(version.stdout.split()[1]), version.stderr
    agent = Process([*sluice, "run", "-c", root / "etc/sluice/sluice.toml", "--data-dir", tmp_path / "data", "--set",
                     f'listener.mqtt.bind=["127.0.0.1:{port}"]', "--set", "admin.bind=off"], tmp_path / "agent.log")
    try:
        wait_until(lambda: "ready:" in agent.output() or not agent.is_running(), 30, agent.output)
        publisher = Publisher(port)
        try:
            wait_until(lambda: publisher.count() > 20, 30, agent.output)
        finally:
            acknowledged = publisher.stop()
        assert agent.terminate(60) == 0, agent.output()
    finally:
        agent.kill()
    log = subprocess.run([*sluice, "log", "cat", "telemetry", "--data-dir", str(tmp_path / "data"), "--json"],
                         capture_output=True, text=True, check=True).stdout
    assert acknowledged <= {json.loads(json.loads(line)["value"])["number"] for line in log.splitlines()}
    shutil.rmtree(root)
