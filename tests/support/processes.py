"""Processes that a test starts: none outlives the test, and each keeps what it printed."""
import ctypes
import pathlib
import random
import signal
import socket
import subprocess
import time


_ports_given = set()


def server_ports():
    """Those that the kernel gives to no outgoing connection: a server that was away finds its own still free."""
    first, last = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    return [*range(10_000, first), *range(last + 1, 65_536)] or list(range(10_000, 65_536))


def free_port():
    """A port that nothing listens on, and that this process was not given before."""
    ports = server_ports()
    random.shuffle(ports)
    for port in ports:
        with socket.socket() as probe:
            if port not in _ports_given and probe_binds(probe, port):
                _ports_given.add(port)
                return port
    raise AssertionError("no port is free")


def probe_binds(probe, port):
    try:
        probe.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False


def end_with_parent():
    """The child is killed when its parent dies, however that dies. A parent's thread must not end before."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def wait_until(holds, timeout, what):
    """Returns what `holds()` returned once that is true; fails with `what` (text, or a function) after `timeout`."""
    deadline = time.monotonic() + timeout
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(0.05)


class Process:
    """A program whose output goes to a file."""

    def __init__(self, command, output, environment=None, before=None):
        self.output_file = pathlib.Path(output)
        with open(self.output_file, "ab") as out:
            self.popen = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, env=environment,
                                          preexec_fn=before or end_with_parent, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        return self.output_file.read_text(errors="replace")

    def is_running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def terminate(self, timeout=30):
        """SIGTERM; returns the exit status. Fails where the process has not ended within `timeout`."""
        self.popen.terminate()
        return self.wait(timeout)

    def wait(self, timeout=30):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {timeout} s; its output:\n{self.output()[-3000:]}") from None
