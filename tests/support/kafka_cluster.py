"""Three brokers on this machine, KRaft, each a controller too: what takes one of them away, and what they let in.

Clients that test and check use `brokers`. The agent uses `uplink`, whose brokers say that they are where the proxy listens
(support/proxy.py), or, where there are certificates, one of the `doors` that want a proof of who one is.
"""
import concurrent.futures
import contextlib
import pathlib
import signal

from support.kafka import VERSION, Kafka
from support.processes import free_port, wait_until
from support.proxy import Proxy

TRANSACTION_PARTITIONS = 3
DOORS = {"TLS": "SSL", "MTLS": "SSL", "SASL": "SASL_SSL"}
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


class Node(Kafka):
    """One of them."""

    HEAP = ["-Xms128m", "-Xmx256m"]

    def __init__(self, directory, cluster, number):
        super().__init__(directory, version=cluster.version)
        self.cluster, self.node_id = cluster, number
        self.uplink_port, self.proxy_port = free_port(), free_port()
        self.doors = {name: free_port() for name in DOORS} if cluster.certificates else {}

    def _properties(self):
        def at(name, port):
            return f"{name}://127.0.0.1:{port}"
        inside = [at("PLAINTEXT", self.port), *(at(name, port) for name, port in self.doors.items())]
        protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT", "UPLINK": "PLAINTEXT"} | \
            {name: DOORS[name] for name in self.doors}
        count = len(self.cluster.nodes)
        values = super()._properties() | {
            "process.roles": "broker,controller",
            "controller.quorum.voters": ",".join(f"{n.node_id}@127.0.0.1:{n.controller_port}" for n in self.cluster.nodes),
            "listeners": ",".join([*inside, at("UPLINK", self.uplink_port), at("CONTROLLER", self.controller_port)]),
            "advertised.listeners": ",".join([*inside, at("UPLINK", self.proxy_port)]),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "num.partitions": "3",
            "default.replication.factor": count,
            "min.insync.replicas": min(2, count),
            "offsets.topic.replication.factor": count,
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": min(2, count),
            "transaction.state.log.num.partitions": TRANSACTION_PARTITIONS,
            # A broker that was killed is missed sooner than by default, so that a test sees more of what follows.
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "4000",
            # A machine on which everything else runs too is slow, and nobody's death.
            "controller.quorum.election.timeout.ms": "3000",
            "controller.quorum.fetch.timeout.ms": "5000",
        }
        del values["listener.name.sasl.plain.sasl.jaas.config"]
        return values | self._door_properties() | self.cluster.properties

    def _door_properties(self):
        if not self.doors:
            return {}
        made = self.cluster.certificates
        keystore = self.directory / "server.pem"
        keystore.write_text(made.server_key.read_text() + made.server_cert.read_text())
        values = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
                  "listener.name.mtls.ssl.client.auth": "required",
                  "listener.name.sasl.plain.sasl.jaas.config": self._jaas(),
                  "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
                  # It takes tokens that nobody has signed: what the agent does to get and renew one is the same.
                  "listener.name.sasl.oauthbearer.sasl.jaas.config":
                      f'{OAUTH} required unsecuredLoginStringClaim_sub="broker";'}
        for name in self.doors:
            values |= {f"listener.name.{name.lower()}.ssl.{key}": value for key, value in {
                "keystore.type": "PEM", "keystore.location": keystore,
                "truststore.type": "PEM", "truststore.location": made.ca}.items()}
        return values


class Cluster:
    """`properties` are added to each broker's; `users` (name: password) are those that may come with SASL/PLAIN."""

    def __init__(self, directory, nodes=3, version=VERSION, properties=None, certificates=None, users=None, seed=0):
        self.directory = pathlib.Path(directory)
        self.version, self.properties, self.certificates = version, properties or {}, certificates
        self.acl_command = "kafka.admin.AclCommand" if version < "4" else "org.apache.kafka.tools.AclCommand"
        self.nodes = []
        for number in range(1, nodes + 1):
            self.nodes.append(Node(self.directory / f"broker-{number}", self, number))
            self.nodes[-1].users = users or {}
        self.proxy = Proxy([(node.proxy_port, node.uplink_port) for node in self.nodes], seed)

    @property
    def brokers(self):
        return ",".join(node.brokers for node in self.nodes)

    @property
    def uplink(self):
        return ",".join(f"127.0.0.1:{node.proxy_port}" for node in self.nodes)

    def door(self, name):
        """Brokers that want TLS, MTLS (a client's certificate) or SASL (over TLS)."""
        return ",".join(f"127.0.0.1:{node.doors[name]}" for node in self.nodes)

    def start(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Node.prepare, self.nodes))
        for node in self.nodes:
            node.start(wait=False)
        self.wait_ready()
        return self

    def wait_ready(self, timeout=180):
        """Until all brokers are there and each partition has all its replicas in sync."""
        wait_until(self.is_whole, timeout, lambda: "\n".join(node.process.output()[-1000:] for node in self.nodes))

    def is_whole(self):
        from confluent_kafka import KafkaException
        admin = self.admin()
        try:
            seen = admin.list_topics(timeout=2)
        except KafkaException:
            return False
        return len(seen.brokers) == len(self.nodes) and all(
            len(partition.isrs) == len(partition.replicas) for topic in seen.topics.values()
            for partition in topic.partitions.values())

    def stop(self):
        self.proxy.stop()
        for node in self.nodes:  # it is over: what they would write down in order nobody reads
            if node.process and node.process.is_running():
                node.process.signal(signal.SIGCONT)
                node.process.kill()

    def admin(self):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0, "socket.timeout.ms": 5000})

    def create_topic(self, name, partitions=3, config=None):
        wait_until(lambda: len(self.admin().list_topics(timeout=5).brokers) == len(self.nodes), 60, "all brokers")
        self.nodes[0].__class__.create_topic(self, name, partitions, config, replicas=len(self.nodes))

    def leader(self, topic, partition=0):
        """The node that leads the partition, or None where none does now."""
        seen = self.admin().list_topics(topic, timeout=10).topics[topic].partitions.get(partition)
        return next((node for node in self.nodes if seen and node.node_id == seen.leader), None)

    @contextlib.contextmanager
    def restarted(self, node, how):
        """`how` ends the node; it is started again at the end, and waited for."""
        how(node)
        try:
            yield
        finally:
            node.start(wait=False)
            self.wait_ready()

    def tool(self, main, *arguments):
        return self.nodes[0].tool(main, "--bootstrap-server", self.brokers, *arguments)

    def configure(self, kind, name, *options):
        """Kafka's kafka-configs: quotas, SCRAM credentials, dynamic configuration."""
        return self.tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", kind, "--entity-name", name, *options)

    def set_scram(self, user, password):
        self.configure("users", user, "--add-config", f"SCRAM-SHA-512=[iterations=4096,password={password}]")

    def allow(self, user, *options):
        """What kafka-acls takes, such as "--producer", "--topic", "*"."""
        return self.tool(self.acl_command, "--add", "--allow-principal", f"User:{user}", *options)

    def forbid(self, user, *options):
        return self.tool(self.acl_command, "--remove", "--force", "--allow-principal", f"User:{user}", *options)

    def add_partitions(self, topic, total):
        from confluent_kafka.admin import NewPartitions
        admin = self.admin()
        admin.create_partitions([NewPartitions(topic, total)])[topic].result(30)


def coordinator_of(cluster, transactional_id):
    """The node that coordinates its transactions: the leader of a partition of Kafka's own topic."""
    hashed = 0
    for letter in transactional_id:
        hashed = (31 * hashed + ord(letter)) & 0xFFFFFFFF  # as Java's strings do
    return cluster.leader("__transaction_state", (hashed & 0x7FFFFFFF) % TRANSACTION_PARTITIONS)
