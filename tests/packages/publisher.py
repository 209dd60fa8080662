"""A device that publishes numbered messages without an end, and knows which of them were acknowledged."""
import threading

import paho.mqtt.client as mqtt


class Publisher:
    def __init__(self, port):
        self.acknowledged, self.identifiers, self.lock = set(), {}, threading.Lock()
        self.client = mqtt.Client(client_id="device", clean_session=False)
        self.client.reconnect_delay_set(0.1, 0.2)
        self.client.on_publish = self.on_publish
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.publish)
        self.thread.start()

    def on_publish(self, _client, _userdata, identifier):
        with self.lock:
            self.acknowledged.add(self.identifiers.pop(identifier))

    def publish(self):
        number = 0
        while not self.over.wait(0.01):
            with self.lock:  # so that the acknowledgement waits for its identifier to be known
                if len(self.identifiers) < 1000:
                    message = self.client.publish("factory/north/pump-07/telemetry", f'{{"number": {number}}}', qos=1)
                    self.identifiers[message.mid] = number
                    number += 1

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def stop(self):
        self.over.set()
        self.thread.join()
        self.client.disconnect()
        self.client.loop_stop()
        return self.acknowledged
