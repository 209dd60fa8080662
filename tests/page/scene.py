"""An agent for a browser to look at: a listener, a rule, devices that send, and perhaps a Kafka."""
import json
import math
import threading
import time

import paho.mqtt.client as mqtt

from support.admin import Admin
from support.agent import Agent, listener_configuration
from support.processes import free_port, wait_until

RULES = """
[[rule]]
name = "pump-too-hot"
stream = "telemetry"
expr = "avg(temperature, 10s) > 80"
severity = "critical"
message = "{device} is too hot: {value}"
"""


class Scene:
    def __init__(self, directory, kafka=None, *, admin="", more="", devices=5):
        self.mqtt_port, self.port = free_port(), free_port()
        self.kafka = kafka
        forward = f'[kafka]\nbrokers = "{kafka.brokers}"\nretry_max = "1s"\n' if kafka else ""
        text = listener_configuration(self.mqtt_port, topic="plant/{device}/telemetry")
        text = text.replace('stream = "telemetry"\n', 'stream = "telemetry"\nkey = "{device}"\n')
        text += f'{RULES}{forward}[storage]\nquota = "256MiB"\n[admin]\nbind = "127.0.0.1:{self.port}"\n{admin}\n{more}'
        if kafka:
            for topic in ("telemetry", "alerts", "sluice.events", "sluice.dead-letter"):
                kafka.create_topic(topic)
        self.agent = Agent(directory, text).start()
        self.admin = Admin(self.agent, self.port)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.client = mqtt.Client(client_id="", protocol=mqtt.MQTTv5)
        self.client.max_queued_messages_set(0)
        self.client.connect("127.0.0.1", self.mqtt_port)
        self.client.loop_start()
        self._end = threading.Event()
        self._sender = threading.Thread(target=self._send, args=(devices,), daemon=True)
        self._sender.start()

    def publish(self, device, payload):
        if not isinstance(payload, bytes):
            payload = json.dumps(payload).encode()
        return self.client.publish(f"plant/{device}/telemetry", payload, qos=1)

    def _send(self, devices):
        """The first pump gets hot, the others swing."""
        for step in range(1_000_000):
            if self._end.is_set() or devices == 0:
                return
            for number in range(devices):
                temperature = min(95, 60 + step) if number == 0 else 55 + 8 * math.sin(step / 6 + number)
                self.publish(f"pump-{number:02}", {"temperature": round(temperature, 2), "motor": {"rpm": 1480 + step % 7}})
            time.sleep(0.2)

    def api(self, path, **headers):
        code, _, text = self.admin.ask(f"/api/v1/{path}", headers=headers)
        assert code == 200, f"{path}: {code} {text}"
        return json.loads(text)

    def wait_for_alert(self):
        wait_until(lambda: self.api("alerts")["firing"], 30, lambda: "an alert that fires")
        return self.api("alerts")["firing"][0]

    def end(self):
        self._end.set()
        self._sender.join()
        self.client.disconnect()
        self.client.loop_stop()
        self.agent.end()
