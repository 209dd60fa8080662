"""A real MQTT broker with a configuration of its own, that loses nothing of a persistent session by a restart."""
import pathlib
import signal
import socket
import subprocess

from support.processes import Process, free_port, wait_until


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    def __init__(self, directory, users=None, tls=None, persistent=True, inflight=100):
        """users: name to password, without which nobody gets in; tls: Certificates, which clients need one of."""
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 0", f"max_inflight_messages {inflight}",
                 f"allow_anonymous {'false' if users else 'true'}", "log_type error", "log_type warning",
                 "user root", f"persistence {'true' if persistent else 'false'}"]
        if persistent:
            lines += [f"persistence_location {self.directory}/", "autosave_interval 0"]  # saved at its end
        if users:
            self.set_passwords(users)
            lines.append(f"password_file {self.passwords}")
        if tls:
            lines += [f"cafile {tls.ca}", f"certfile {tls.server_cert}", f"keyfile {tls.server_key}",
                      "require_certificate true"]
        self.config = self.directory / "mosquitto.conf"
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def passwords(self):
        return self.directory / "passwords"

    def set_passwords(self, users):
        self.passwords.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(self.passwords)], check=True)
        if self.process:
            self.process.signal(signal.SIGHUP)

    def start(self):
        self.process = Process(["/usr/sbin/mosquitto", "-c", self.config], self.directory / "output")
        wait_until(lambda: is_listening(self.port) or not self.process.is_running(), 10, self.process.output)
        assert self.process.is_running(), self.process.output()
        return self

    def stop(self):
        if self.process and self.process.is_running():
            self.process.terminate()

    def restart(self):
        self.stop()
        self.start()

    def save(self):
        """Writes its sessions to disk, which by default it does every 30 minutes; returns when they are there."""
        saved = self.directory / "mosquitto.db"
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        self.process.signal(signal.SIGUSR1)
        wait_until(lambda: saved.exists() and saved.stat().st_mtime_ns != before, 10, self.process.output)

    def crash(self):
        """It goes on with what it had saved."""
        self.process.kill()
        self.start()


class Certificates:
    """A CA, a server's certificate for 127.0.0.1 and a client's, made for one test."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca, ca_key = self.directory / "ca.pem", self.directory / "ca.key"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key, "-out", self.ca, "-days", "2",
                      "-subj", "/CN=test CA")
        self.server_cert, self.server_key = self._issue("server", ca_key)
        self.client_cert, self.client_key = self._issue("client", ca_key)

    def _issue(self, name, ca_key):
        cert, key, request = (self.directory / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        names = self.directory / f"{name}.names"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-out", cert,
                      "-days", "2", "-extfile", names)
        return cert, key

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
