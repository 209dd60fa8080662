"""A fresh Debian in a folder, where packages are installed. systemd isn't its process 1: the test is its manager."""
import os
import pathlib
import re
import subprocess

from support.processes import Process, free_port, wait_until

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
WITHOUT_SECURITY = """--setup-hook=sed -i /security/d "$1/etc/apt/sources.list\""""  # where its index can't be read


def make_root(directory, suite):
    for more in ([], [WITHOUT_SECURITY]):
        made = subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--include=systemd",
                              "--skip=cleanup/apt", *more, suite, str(directory)],
                              capture_output=True, text=True, check=False)
        if made.returncode == 0:
            return Root(directory)
        subprocess.run(["rm", "-rf", str(directory)], check=True)
    raise AssertionError(made.stderr)


class Root:
    def __init__(self, directory):
        self.path = pathlib.Path(directory)
        # The maintainer scripts see a systemd, which notes what it is asked for and does nothing.
        (self.path / "run/systemd/system").mkdir(parents=True)
        self.asked_file = self.path / "run/asked"
        self.run("dpkg-divert", "--quiet", "--rename", "--add", "/usr/bin/deb-systemd-invoke")
        invoke = self.path / "usr/bin/deb-systemd-invoke"
        invoke.write_text('#!/bin/sh\necho "$@" >>/run/asked\n')
        invoke.chmod(0o755)
        (self.path / "etc/resolv.conf").write_text(pathlib.Path("/etc/resolv.conf").read_text())

    def run(self, *command, check=True):
        result = subprocess.run(["chroot", str(self.path), *command], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=300, check=False)
        assert not check or result.returncode == 0, f"{command}: {result.stdout[-2000:]}\n{result.stderr[-2000:]}"
        return result

    def install(self, package, *options):
        target = self.path / "tmp" / package.name
        target.write_bytes(package.read_bytes())
        return self.run("apt-get", "install", "-q", "-y", "--no-install-recommends", *options, f"/tmp/{package.name}")

    def version(self):
        return self.run("dpkg-query", "-W", "-f", "${Version}", "sluice").stdout

    def asked(self):
        """What the manager was asked for since the last call."""
        text = self.asked_file.read_text() if self.asked_file.exists() else ""
        self.asked_file.unlink(missing_ok=True)
        return [line for line in text.splitlines() if "sluice" in line]

    def user(self):
        entry = re.search(r"^sluice:.*$", (self.path / "etc/passwd").read_text(), re.M).group().split(":")
        return int(entry[2]), int(entry[3])

    def left(self):
        """Files that are the package's, by their name or their owner."""
        words = ["(", "-name", "*sluice*", "-o", "-uid", str(self.user()[0]), ")"]
        found = subprocess.run(["find", str(self.path), "-xdev", *words], capture_output=True, text=True, check=True)
        return [line for line in found.stdout.splitlines() if not line.startswith(f"{self.path}/tmp/")]


class Service:
    """Runs what the installed unit says, as its user, with the folder that StateDirectory makes."""

    def __init__(self, root):
        self.root, self.port, self.runs, self.process = root, free_port(), 0, None

    def start(self):
        unit = (self.root.path / "lib/systemd/system/sluice.service").read_text()
        setting = lambda name: re.search(rf"^{name}=(.*)$", unit, re.M).group(1)  # noqa: E731
        uid, gid = self.root.user()
        assert setting("User") == setting("Group") == setting("StateDirectory") == "sluice"
        state = self.root.path / "var/lib/sluice"
        state.mkdir(exist_ok=True)
        state.chmod(int(setting("StateDirectoryMode"), 8))
        os.chown(state, uid, gid)
        self.runs += 1
        command = ["chroot", f"--userspec={uid}:{gid}", str(self.root.path), *setting("ExecStart").split(),
                   "--set", f'listener.mqtt.bind=["127.0.0.1:{self.port}"]', "--set", "admin.bind=off"]  # others run here
        self.process = Process(command, self.root.path.parent / f"service-{self.runs}.log", environment=ENVIRONMENT)
        wait_until(lambda: "ready:" in self.process.output() or not self.process.is_running(), 20, self.process.output)
        assert self.process.is_running(), self.process.output()

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        assert self.process.terminate(30) == 0, self.process.output()
