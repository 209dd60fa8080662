#!/usr/bin/env python3
"""A real Kafka on this machine: one node, KRaft, its jars from Maven in a cache folder.

    kafka.py fetch                      fill the cache (quick where it is filled)
    kafka.py prepare                    … and make brokers start in half the time: for many of them
    kafka.py run --dir DIR --port PORT  a broker in the foreground, until SIGTERM; a second run goes on with DIR
"""
import argparse
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import maven  # noqa: E402
from support.processes import Process, free_port, wait_until  # noqa: E402

VERSION = "4.1.0"
HERE = pathlib.Path(__file__).resolve().parent
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:disable"]
CLASSES = "classes.jsa"  # beside the jars


def fetch(version=VERSION):
    """Returns the folder of jars; fills it first where it is not complete."""
    return maven.fetch("kafka", version, HERE / "kafka_jars.xml", "kafka.version")


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def share_classes(jars):
    """Has a broker leave the classes that it has loaded in a file, with which the next ones start in half the time. A JVM
    that can't use it goes on without: it is new where the JVM is."""
    java = subprocess.run(["java", "-version"], stderr=subprocess.PIPE, check=True).stderr
    archive, made_by = jars / CLASSES, jars / f"{CLASSES}.java"
    if archive.exists() and made_by.exists() and made_by.read_bytes() == java:
        return
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        broker = Kafka(scratch)
        config = broker.prepare()
        new = pathlib.Path(scratch) / CLASSES
        command = broker.java("kafka.Kafka", config)
        process = Process([command[0], f"-XX:ArchiveClassesAtExit={new}", *command[1:]], broker.directory / "output")
        try:
            wait_until(lambda: accepts(broker.port), 120, process.output)
        finally:
            process.terminate(60)
        if not new.exists():
            print(f"brokers start without shared classes:\n{process.output()[-1000:]}", file=sys.stderr)
            return
        shutil.copy(new, jars / f"{CLASSES}.new")
    (jars / f"{CLASSES}.new").rename(archive)
    made_by.write_bytes(java)


class Kafka:
    """A broker that a test starts, stops, kills, pauses and starts again on the same port with the same data.

    Beside the plain listener, whose clients may do everything, there is one for users with a password (SASL/PLAIN) and
    rights of their own (ACL). Another Kafka can be given as `first`: then this is a second broker of its cluster.
    """

    HEAP = ["-Xms256m", "-Xmx512m"]

    def __init__(self, directory, port=None, auto_create=False, first=None, version=VERSION):
        self.directory = pathlib.Path(directory)
        self.port = port or free_port()
        self.auto_create = auto_create
        self.node_id = 2 if first else 1
        self.controller_port = first.controller_port if first else free_port()
        self.sasl_port = free_port()
        self.users = {}
        self.process = None
        self.jars = fetch(version)

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    @property
    def sasl_brokers(self):
        return f"127.0.0.1:{self.sasl_port}"

    def _properties(self):
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},SASL://127.0.0.1:{self.sasl_port}"
        controls = self.node_id == 1
        values = {
            "process.roles": "broker,controller" if controls else "broker",
            "node.id": self.node_id,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": listeners + (f",CONTROLLER://127.0.0.1:{self.controller_port}" if controls else ""),
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": self._jaas(),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "log.dirs": str(self.directory / "data"),
            "num.partitions": "4",
            "auto.create.topics.enable": str(self.auto_create).lower(),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": "16777216",
            "log.cleaner.backoff.ms": "200",
            "num.network.threads": "2",
            "num.io.threads": "2",
        }
        return values

    def _jaas(self):
        users = "".join(f' user_{name}="{password}"' for name, password in self.users.items())
        return f"org.apache.kafka.common.security.plain.PlainLoginModule required{users};"

    def java(self, main, *arguments):
        classes = self.jars / CLASSES
        shared = [f"-XX:SharedArchiveFile={classes}"] if classes.exists() else []
        return [*JAVA, *shared, *self.HEAP, "-cp", str(self.jars / "*"), main, *map(str, arguments)]

    def prepare(self):
        """Writes its configuration and formats its disk where that isn't done; returns the configuration's path."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        if not (self.directory / "data" / "meta.properties").exists():
            self.tool("kafka.tools.StorageTool", "format", "-t", "sluicesluicesluices000", "-c", config)
        return config

    def start(self, wait=True):
        self.process = Process(self.java("kafka.Kafka", self.prepare()), self.directory / "output")
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=60):
        """Until it answers a client's request, which is a little after it accepts connections."""
        deadline = time.monotonic() + timeout
        admin = self.admin()
        while time.monotonic() < deadline and self.process.is_running():
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except Exception:  # not yet
                time.sleep(0.1)
        raise RuntimeError(f"Kafka is not ready; its output:\n{self.process.output()[-3000:]}")

    def stop(self):
        if self.process and self.process.is_running():
            self.resume()
            self.process.terminate()

    def pause(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.is_running():
            self.process.kill()

    def tool(self, main, *arguments):
        """Runs one of Kafka's own tools and returns what it printed."""
        result = subprocess.run(self.java(main, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False, timeout=120)
        if result.returncode != 0:
            raise RuntimeError(f"{main} failed:\n{result.stdout[-3000:]}")
        return result.stdout

    def dump_log(self, files):
        return self.tool("kafka.tools.DumpLogSegments", "--deep-iteration", "--print-data-log", "--files",
                         ",".join(map(str, files)))

    def admin(self):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})

    def create_topic(self, name, partitions=1, config=None, replicas=1):
        from confluent_kafka.admin import NewTopic
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=config or {})
        admin = self.admin()  # must outlive the answer
        admin.create_topics([topic], operation_timeout=20)[name].result(30)

    def alter_topic(self, name, config):
        from confluent_kafka.admin import ConfigResource
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, set_config=config)
        admin = self.admin()
        admin.alter_configs([resource])[resource].result(30)

    def set_password(self, user, password):
        """Restarts the broker, which reads such passwords only at its start."""
        self.stop()
        self.users[user] = password
        self.start()

    def allow(self, user, *operations):
        """On all topics, and on the cluster where the operation is one of the cluster's."""
        words = [word for operation in operations for word in ("--operation", operation)]
        self.tool("org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.brokers, "--add", "--allow-principal",
                  f"User:{user}", *words, "--topic", "*")


def run(arguments):
    kafka = Kafka(arguments.dir, arguments.port, auto_create=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        kafka.start(wait=False)
        sys.exit(kafka.process.popen.wait())
    finally:
        kafka.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch")
    commands.add_parser("prepare")
    runner = commands.add_parser("run")
    runner.add_argument("--dir", required=True)
    runner.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        fetch()
    elif arguments.command == "prepare":
        share_classes(fetch())
    else:
        run(arguments)


if __name__ == "__main__":
    main()
