// The HiveMQ client: RoundTrip.java PORT 3.1.1|5. What it does: tests/support/other_clients.py.
import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

public class RoundTrip {
    private static final List<String> received = new ArrayList<>();

    private static void add(int qos, boolean retain, String topic, byte[] payload) {
        synchronized (received) {
            received.add(qos + " " + (retain ? 1 : 0) + " " + topic + " " + new String(payload));
            received.notifyAll();
        }
    }

    private static void await(int count) throws InterruptedException {
        final long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        synchronized (received) {
            while (received.size() < count) {
                final long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) throw new IllegalStateException("only " + received.size() + " messages came");
                received.wait(left);
            }
        }
    }

    /** What both versions have. */
    interface Client {
        boolean connect(boolean session);
        void subscribe(String filter, int qos);
        CompletableFuture<?> publish(String topic, String payload, int qos, boolean retain);
        void disconnect();
    }

    static class Old implements Client {
        private final Mqtt3AsyncClient client;

        Old(int port, String name) {
            client = MqttClient.builder().useMqttVersion3().identifier(name).serverHost("127.0.0.1").serverPort(port).buildAsync();
            client.publishes(MqttGlobalPublishFilter.ALL, message -> add(message.getQos().getCode(), message.isRetain(),
                    message.getTopic().toString(), message.getPayloadAsBytes()));
        }
        public boolean connect(boolean session) {
            return client.connectWith().cleanSession(!session).send().join().isSessionPresent();
        }
        public void subscribe(String filter, int qos) {
            client.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send().join();
        }
        public CompletableFuture<?> publish(String topic, String payload, int qos, boolean retain) {
            return client.publishWith().topic(topic).payload(payload.getBytes()).qos(MqttQos.fromCode(qos)).retain(retain).send();
        }
        public void disconnect() {
            client.disconnect().join();
        }
    }

    static class New implements Client {
        private final Mqtt5AsyncClient client;

        New(int port, String name) {
            client = MqttClient.builder().useMqttVersion5().identifier(name).serverHost("127.0.0.1").serverPort(port).buildAsync();
            client.publishes(MqttGlobalPublishFilter.ALL, message -> add(message.getQos().getCode(), message.isRetain(),
                    message.getTopic().toString(), message.getPayloadAsBytes()));
        }
        public boolean connect(boolean session) {
            return client.connectWith().cleanStart(!session).sessionExpiryInterval(session ? 60 : 0).send().join().isSessionPresent();
        }
        public void subscribe(String filter, int qos) {
            client.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send().join();
        }
        public CompletableFuture<?> publish(String topic, String payload, int qos, boolean retain) {
            return client.publishWith().topic(topic).payload(payload.getBytes()).qos(MqttQos.fromCode(qos)).retain(retain).send();
        }
        public void disconnect() {
            client.disconnect().join();
        }
    }

    private static void send(Client writer, int qos, int from, int to) {
        final List<CompletableFuture<?>> sent = new ArrayList<>();
        for (int n = from; n < to; ++n) sent.add(writer.publish("plant/" + qos + "/value", String.valueOf(n), qos, false));
        sent.forEach(CompletableFuture::join);
    }

    public static void main(String[] arguments) throws Exception {
        final int port = Integer.parseInt(arguments[0]);
        final boolean v5 = arguments[1].equals("5");
        final java.util.function.Function<String, Client> make = name -> v5 ? new New(port, name) : new Old(port, name);
        final Client before = make.apply("round-trip");
        before.connect(true);
        before.subscribe("plant/+/value", 2);
        before.disconnect();

        final Client writer = make.apply("round-trip-writer");
        writer.connect(false);
        send(writer, 1, 0, 50);
        send(writer, 2, 0, 50);
        final Client reader = make.apply("round-trip");
        if (!reader.connect(true)) throw new IllegalStateException("the session is gone");
        await(100);
        send(writer, 0, 50, 60);
        send(writer, 1, 50, 100);
        send(writer, 2, 50, 100);
        await(210);
        writer.publish("plant/kept/value", "on", 1, true).join();
        await(211);
        final Client late = make.apply("round-trip-late");
        late.connect(false);
        late.subscribe("plant/kept/value", 1);
        await(212);
        writer.publish("plant/kept/value", "", 1, true).join();
        for (final Client client : List.of(reader, writer, late)) client.disconnect();
        received.forEach(System.out::println);
        System.exit(0);
    }
}
