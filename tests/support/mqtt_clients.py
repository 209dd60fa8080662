"""Real MQTT clients behind one face: mosquitto's programs, and Paho for Python.

A client library has `publish(port, version, topic, payload, qos, retain)`, which returns when the message is
acknowledged, and `subscriber(...)`, which returns when the subscription is. `version` is "3.1.1" or "5".
"""
import collections
import subprocess
import threading
import uuid

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support.processes import Process, wait_until

TIMEOUT_S = 10

Message = collections.namedtuple("Message", "topic payload qos retain")


class MosquittoClients:
    name = "mosquitto_pub and mosquitto_sub"
    VERSIONS = {"3.1.1": "mqttv311", "5": "mqttv5"}

    @classmethod
    def arguments(cls, port, version, qos, topic):
        return ["-h", "127.0.0.1", "-p", str(port), "-V", cls.VERSIONS[version], "-q", str(qos), "-t", topic]

    @classmethod
    def publish(cls, port, version, topic, payload, qos, retain=False):
        options = ["-r"] if retain else []
        subprocess.run(["mosquitto_pub", *cls.arguments(port, version, qos, topic), "-m", payload, *options], check=True,
                       timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)

    @classmethod
    def subscriber(cls, port, version, topic, qos, directory, session=None):
        return MosquittoSubscriber(cls.arguments(port, version, qos, topic), version, directory, session)


class MosquittoSubscriber:
    MARK = "MESSAGE "

    def __init__(self, arguments, version, directory, session):
        if session:  # one that outlives its connection
            arguments += ["-i", session, "-c"] + (["-x", "60"] if version == "5" else [])
        # -d says when the subscription is acknowledged; a line is of use only when it comes at once.
        self.process = Process(["stdbuf", "-oL", "mosquitto_sub", *arguments, "-d", "-F", f"{self.MARK}%q %r %t %p"],
                               directory / f"subscriber-{uuid.uuid4().hex[:8]}")
        try:
            wait_until(lambda: "Subscribed (mid:" in self.process.output(), TIMEOUT_S, self.process.output)
        except AssertionError:
            self.close()
            raise

    def received(self):
        messages = []
        for line in self.process.output().splitlines():
            if line.startswith(self.MARK):
                qos, retain, topic, payload = line.removeprefix(self.MARK).split(" ", 3)
                messages.append(Message(topic, payload, int(qos), retain == "1"))
        return messages

    def close(self):
        """In order, so that the server keeps the session as it is."""
        if self.process.is_running():
            self.process.terminate()


class PahoClients:
    name = "Paho for Python"
    VERSIONS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}

    @classmethod
    def connected(cls, port, version, client, session=None):
        answered = threading.Event()
        codes = []

        def on_connect(_client, _userdata, _flags, code, _properties=None):
            codes.append(code)
            answered.set()

        client.on_connect = on_connect
        if version == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 60 if session else 0
            client.connect("127.0.0.1", port, clean_start=not session, properties=properties)
        else:
            client.connect("127.0.0.1", port)
        client.loop_start()
        assert answered.wait(TIMEOUT_S), "no CONNACK"
        assert codes[0] == 0, f"refused: {codes[0]}"
        return client

    @classmethod
    def new_client(cls, version, session=None):
        options = {} if version == "5" else {"clean_session": not session}
        return paho.Client(client_id=session or f"paho-{uuid.uuid4().hex[:8]}", protocol=cls.VERSIONS[version], **options)

    @classmethod
    def publish(cls, port, version, topic, payload, qos, retain=False, properties=None):
        client = cls.connected(port, version, cls.new_client(version))
        try:
            sent = client.publish(topic, payload, qos, retain, properties)
            sent.wait_for_publish(TIMEOUT_S)
            assert sent.is_published(), "not acknowledged"
        finally:
            client.disconnect()
            client.loop_stop()

    @classmethod
    def subscriber(cls, port, version, topic, qos, _directory, session=None):
        return PahoSubscriber(port, version, topic, qos, session)


class PahoSubscriber:
    def __init__(self, port, version, topic, qos, session):
        self.messages = []  # as Paho has them, for what Message leaves out
        subscribed = threading.Event()
        self.client = PahoClients.new_client(version, session)
        self.client.on_message = lambda _client, _userdata, message: self.messages.append(message)
        self.client.on_subscribe = lambda *_: subscribed.set()
        PahoClients.connected(port, version, self.client, session)
        self.client.subscribe(topic, qos)
        if not subscribed.wait(TIMEOUT_S):
            self.close()
            raise AssertionError("no SUBACK")

    def received(self):
        return [Message(one.topic, one.payload.decode(), one.qos, bool(one.retain)) for one in list(self.messages)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


LIBRARIES = [MosquittoClients, PahoClients]
