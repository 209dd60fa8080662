"""Client libraries of other languages, each behind a program `round_trip` that takes a port and a version of MQTT.

The program makes a session that has subscribed to plant/+/value with QoS 2, and leaves it; publishes 0 … 49 to
plant/1/value and plant/2/value with that QoS, all at once; comes back to the session and gets them; publishes 50 … 59 to
plant/0/value and 50 … 99 to the others; and "on" to plant/kept/value, to be retained, which a third client gets when it
subscribes with QoS 1, and which is cleared then. It prints what has arrived, a line each: QoS, retain, topic, payload.
"""
import os
import pathlib
import subprocess

from support import maven

PROGRAMS = pathlib.Path(__file__).resolve().parents[1] / "clients"
HIVEMQ_VERSION = "1.3.3"
# Where Debian puts the sources of its packages for Node.js and Go.
NODE_MODULES = "/usr/share/nodejs"
GO_SOURCES = "/usr/share/gocode"


class Library:
    def __init__(self, name, versions, command):
        self.name, self.versions, self.command = name, versions, command

    def round_trip(self, port, version, directory):
        """Returns the lines that the program printed."""
        command, environment = self.command(directory)
        done = subprocess.run([*command, str(port), version], capture_output=True, text=True, timeout=120, check=False,
                              env=os.environ | environment, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{self.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout.splitlines()


def javascript(_directory):
    return ["node", PROGRAMS / "round_trip.js"], {"NODE_PATH": NODE_MODULES}


def java(_directory):
    jars = maven.fetch("hivemq-mqtt-client", HIVEMQ_VERSION, PROGRAMS / "jars.xml", "client.version")
    return ["java", "-cp", f"{jars}/*", PROGRAMS / "RoundTrip.java"], {}


def go(directory):
    environment = {"GOPATH": GO_SOURCES, "GO111MODULE": "off", "GOCACHE": str(maven.cache_dir() / "go")}
    program = directory / "round_trip"
    subprocess.run(["go", "build", "-o", program, PROGRAMS / "round_trip.go"], check=True, env=os.environ | environment)
    return [program], {}


LIBRARIES = {
    "js": Library("MQTT.js", ["3.1.1", "5"], javascript),
    "java": Library("the HiveMQ client", ["3.1.1", "5"], java),
    "go": Library("Paho for Go", ["3.1", "3.1.1"], go),
}
