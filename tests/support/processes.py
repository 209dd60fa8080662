"""Processes that a test starts: none outlives the test, and each keeps what it printed."""
import ctypes
import pathlib
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
