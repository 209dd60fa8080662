"""The admin endpoint of an agent under test."""
import http.client
import json
import os
import socket

from support.processes import wait_until


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's Unix socket, however long its path is."""

    def __init__(self, data):
        super().__init__("localhost", timeout=20)
        self.data = data

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        directory = os.open(self.data, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{directory}/sluice.sock")
        finally:
            os.close(directory)


class Admin:
    def __init__(self, agent, port=None):
        self.agent = agent
        self.port = port

    def ask(self, path, method="GET", headers=None, unix=False, body=None):
        """@return status, headers, text"""
        if unix:
            connection = UnixConnection(self.agent.data)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def status(self):
        code, _, text = self.ask("/api/v1/status", unix=True)
        assert code == 200, text
        return json.loads(text)

    def metrics(self, accept="text/plain"):
        code, _, text = self.ask("/metrics", headers={"Accept": accept}, unix=self.port is None)
        assert code == 200, text
        return text

    def metric(self, sample):
        """The value of a sample, as it is written: 'sluice_commits_total'."""
        for line in self.metrics().splitlines():
            if line.rsplit(" ", 1)[0] == sample:
                return float(line.rsplit(" ", 1)[1])
        return None

    def wait_for(self, holds, timeout=20):
        """Returns the status for which `holds(status)` is true."""
        last = {}

        def look():
            last.clear()
            last.update(self.status())
            return holds(last)
        wait_until(look, timeout, lambda: f"a status that holds; the last was {json.dumps(last, indent=1)}")
        return last
