"""Status, health, metrics and reload of a running agent, and who may ask for them."""
import json
import os
import pathlib
import pty
import re
import shutil
import socket
import ssl
import stat
import subprocess
import time
import warnings

import paho.mqtt.client as mqtt
import pytest

from support.admin import Admin
from support.agent import SLUICE, listener_configuration, sluice
from support.mosquitto import Certificates
from support.processes import free_port, wait_until

ROOT = pathlib.Path(__file__).parents[2]
TOKEN = "0123456789abcdef0123456789abcdef"


def publish(port, count, topic="bench/d/telemetry", payload=b'{"v": 1}'):
    """Returns when all are acknowledged."""
    client = mqtt.Client(client_id="", protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for message in [client.publish(topic, payload, qos=1) for _ in range(count)]:
        message.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


class Box:
    """An agent with a listener, and an admin port of its own."""

    def __init__(self, new_agent, admin="", more="", kafka=""):
        self.mqtt_port, self.port = free_port(), free_port()
        text = listener_configuration(self.mqtt_port).replace("[agent]", f"[agent]\n{more}")
        self.text = text + f'\n{kafka}\n[admin]\nbind = "127.0.0.1:{self.port}"\n{admin}'
        self.agent = new_agent(self.text)
        self.admin = Admin(self.agent, self.port)

    def start(self, **options):
        self.agent.start(**options)
        return self


def promtool(*arguments, text=None):
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)


def test_status_counts_what_was_published_and_is_the_same_over_http_and_on_the_command_line(new_agent):
    box = Box(new_agent).start()
    publish(box.mqtt_port, 50)
    status = box.admin.wait_for(lambda s: s["messages"]["accepted"] == 50 and s["messages"]["accepted_per_second"] > 0)
    assert status["schema"] == 1 and status["ready"] and status["agent"]["id"] == "gateway"
    stream = next(s for s in status["streams"] if s["name"] == "telemetry")
    assert stream["high_watermark"] == 50 and stream["bytes"] > 0 and stream["forwarding"] is None
    assert status["kafka"] is None and status["listener"]["received"] == 50
    over_http = json.loads(box.admin.ask("/api/v1/status")[2])
    assert over_http["messages"]["accepted"] == 50
    command = sluice("status", "--json", "--data-dir", box.agent.data)
    assert command.returncode == 0, command.stderr
    assert json.loads(command.stdout).keys() == status.keys()


def test_the_page_fits_80_columns_and_has_control_codes_only_on_a_terminal(new_agent):
    box = Box(new_agent).start()
    publish(box.mqtt_port, 3)
    piped = sluice("status", "--data-dir", box.agent.data)
    assert piped.returncode == 0, piped.stderr
    assert re.search(r"^gateway  sluice .* up .*ready$", piped.stdout, re.M), piped.stdout
    assert "telemetry" in piped.stdout and "\x1b" not in piped.stdout
    assert max(map(len, piped.stdout.splitlines())) <= 80
    ours, theirs = pty.openpty()
    with subprocess.Popen([SLUICE, "status", "--watch", "--data-dir", box.agent.data], stdout=theirs,
                          stdin=subprocess.DEVNULL) as watching:
        try:
            seen = b""
            wait_until(lambda: (seen := os.read(ours, 65536)).startswith(b"\x1b[H\x1b[J") or seen, 20, "a page")
        finally:
            watching.terminate()
        assert watching.wait(20) == 0
    os.close(ours)
    os.close(theirs)


def test_without_an_agent_status_says_so_and_shows_what_the_directory_tells(new_agent):
    box = Box(new_agent).start()
    publish(box.mqtt_port, 7)
    box.agent.stop()
    result = sluice("status", "--data-dir", box.agent.data)
    assert result.returncode == 1
    assert result.stdout.startswith(f"no agent runs on {box.agent.data}")
    assert "telemetry: 7 offsets" in result.stdout, result.stdout
    data = json.loads(sluice("status", "--json", "--data-dir", box.agent.data).stdout)
    assert data["agent"] is None and any(s["name"] == "telemetry" for s in data["streams"])
    box.start()
    box.agent.kill()  # its socket stays, and nobody listens
    assert (box.agent.data / "sluice.sock").exists()
    assert sluice("status", "--data-dir", box.agent.data).stdout.startswith("no agent runs")
    box.start()
    assert sluice("status", "--data-dir", box.agent.data).returncode == 0
    assert sluice("status", "--data-dir", box.agent.directory / "nothing").returncode == 1


def test_the_unix_socket_is_for_its_owner_alone(new_agent):
    box = Box(new_agent).start()
    mode = (box.agent.data / "sluice.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    box.agent.stop()
    assert not (box.agent.data / "sluice.sock").exists()


def test_health_says_why(new_agent, mosquitto):
    box = Box(new_agent, kafka=f"""
[[source.mqtt]]
name = "plant"
url = "mqtt://127.0.0.1:{mosquitto.port}"
topics = ["plant/#"]
reconnect_max = "1s"
[kafka]
brokers = "127.0.0.1:{free_port()}"
""").start()
    assert box.admin.ask("/healthz")[0] == 200
    wait_until(lambda: box.admin.ask("/readyz")[0] == 200, 20, lambda: box.admin.ask("/readyz")[2])
    wait_until(lambda: json.loads(box.admin.ask("/readyz")[2])["notes"], 20, "a note about the cluster")
    assert json.loads(box.admin.ask("/readyz")[2])["notes"][0].startswith("the cluster 127.0.0.1:")
    mosquitto.stop()
    wait_until(lambda: box.admin.ask("/readyz")[0] == 503, 20, lambda: box.admin.ask("/readyz")[2])
    reasons = json.loads(box.admin.ask("/readyz")[2])["reasons"]
    assert len(reasons) == 1 and reasons[0].startswith("source plant is not connected since"), reasons


def test_metrics_are_as_promtool_wants_them_in_both_formats(new_agent):
    box = Box(new_agent).start()
    publish(box.mqtt_port, 20)
    text = box.admin.metrics()
    checked = promtool("check", "metrics", text=text)
    assert checked.returncode == 0 and not checked.stdout and not checked.stderr, checked.stdout + checked.stderr
    assert box.admin.metric("sluice_messages_accepted_total") == 20
    assert box.admin.metric('sluice_acknowledgement_latency_seconds_count{way="listener"}') == 20
    assert box.admin.metric('sluice_stream_high_watermark{stream="telemetry"}') == 20
    assert box.admin.metric("process_resident_memory_bytes") > 1_000_000
    code, headers, text = box.admin.ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert code == 200 and headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_a_prometheus_scrapes_it(new_agent, tmp_path, ends):
    box = Box(new_agent, f'token = "{TOKEN}"').start()
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(f"""
scrape_configs:
  - job_name: sluice
    scrape_interval: 1s
    authorization: {{credentials: {TOKEN}}}
    static_configs: [{{targets: ["127.0.0.1:{box.port}"]}}]
""")
    server = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb",
                               f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    ends(lambda: (server.kill(), server.wait()))
    found = lambda: promtool("query", "instant", f"http://127.0.0.1:{port}", 'sluice_ready{job="sluice"}').stdout  # noqa: E731
    wait_until(lambda: "=> 1 @" in found(), 60, found)


def queries_of(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def samples_of(text):
    """name -> names of labels, of all samples."""
    labels = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, rest = re.match(r"([a-z_]+)(.*)", line).groups()
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', rest))
    return labels


def metrics_in(expr):
    """(name, labels) of each selector; what stands in by (…) and on (…) belongs to all."""
    grouped = {label.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr) for label in group.split(",")}
    for name, selector in re.findall(r"\b((?:sluice|process)_[a-z_]+)(\{[^}]*\})?", expr):
        yield name, set(re.findall(r"(\w+)\s*=~?", selector)) | grouped


def test_every_query_of_dashboard_and_alerts_is_about_metrics_and_labels_that_there_are(new_agent, mosquitto):
    box = Box(new_agent, kafka=f"""
[[source.mqtt]]
name = "plant"
url = "mqtt://127.0.0.1:{mosquitto.port}"
topics = ["plant/#"]
[storage]
quota = "64MiB"
flash_endurance = "32TB"
[kafka]
brokers = "127.0.0.1:{free_port()}"
delivery = "exactly-once"
""").start()
    there = samples_of(box.admin.metrics())
    # What only some disks tell; docs/metrics.md has them.
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.M))
    for name in ("sluice_flash_written_today_bytes", "sluice_flash_life_left_seconds"):
        assert name in documented
        there.setdefault(name, set())
    dashboard = json.loads((ROOT / "configs/grafana/sluice.json").read_text())
    queries = list(queries_of(dashboard))
    queries += [("alerts", expr) for expr in
                re.findall(r"^\s+expr: (.*)$", (ROOT / "configs/prometheus/sluice-alerts.yml").read_text(), re.M)]
    queries += [(v["name"], v["query"]) for v in dashboard["templating"]["list"] if v["type"] == "query"]
    assert len(queries) > 30
    named = 0
    for title, expr in queries:
        for name, labels in metrics_in(expr):
            assert name in there, f"{title}: {name} is not there: {expr}"
            unknown = labels - there[name] - {"instance", "job"}
            # A sum of one metric by labels that another of the expression has is fine where it is a binary operation.
            assert not unknown or " and on " in expr, f"{title}: {name} has no label {unknown}: {expr}"
            named += 1
    assert named > 30


def test_the_alert_rules_pass_their_tests(tmp_path):
    folder = ROOT / "configs/prometheus"
    result = promtool("test", "rules", str(folder / "sluice-alerts.test.yml"))
    assert result.returncode == 0, result.stdout + result.stderr
    rules = (folder / "sluice-alerts.yml").read_text()
    tested = set(re.findall(r"alertname: (\w+)", (folder / "sluice-alerts.test.yml").read_text()))
    assert tested == set(re.findall(r"alert: (\w+)", rules))
    # A rule that is wrong is found.
    shutil.copy(folder / "sluice-alerts.test.yml", tmp_path)
    (tmp_path / "sluice-alerts.yml").write_text(rules.replace("sluice_ready == 0", "sluice_ready == 1"))
    assert promtool("test", "rules", str(tmp_path / "sluice-alerts.test.yml")).returncode != 0


def test_nothing_is_changed_by_get_and_over_tcp_only_with_the_token(new_agent):
    box = Box(new_agent).start()
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert box.admin.ask("/api/v1/reload", method, unix=True)[0] == 405
    assert box.admin.ask("/api/v1/reload", "POST")[0] == 403
    assert "reload:" not in box.agent.output()
    assert box.admin.ask("/api/v1/reload", "POST", unix=True)[0] == 200
    assert box.agent.count("reload: users, ACL and certificates are read again") == 1


def test_with_a_token_only_health_is_told_without_it(new_agent):
    box = Box(new_agent, f'token = "{TOKEN}"').start()
    for path in ("/metrics", "/api/v1/status", "/api/v1/reload", "/nothing"):
        assert box.admin.ask(path)[0] == 401
    assert box.admin.ask("/healthz")[0] == 200
    assert json.loads(box.admin.ask("/readyz")[2]) == {"ready": True}
    good = {"Authorization": f"Bearer {TOKEN}"}
    assert box.admin.ask("/metrics", headers=good)[0] == 200
    assert "reasons" in json.loads(box.admin.ask("/readyz", headers=good)[2])
    assert box.admin.ask("/metrics", headers={"Authorization": f"Bearer {TOKEN[:-1]}"})[0] == 401
    assert box.admin.ask("/api/v1/reload", "POST", headers=good)[0] == 200
    assert TOKEN not in box.agent.output()


def test_a_page_that_has_its_name_resolve_to_this_machine_is_turned_away(new_agent):
    box = Box(new_agent, 'hosts = ["gateway.local"]').start()
    for host, code in (("evil.example", 421), ("evil.example:80", 421), ("gateway.local:1", 200), ("localhost", 200)):
        assert box.admin.ask("/metrics", headers={"Host": host})[0] == code, host


def test_https_with_a_token(new_agent, tmp_path):
    certificates = Certificates(tmp_path / "tls")
    box = Box(new_agent, f"""token = "{TOKEN}"
[admin.tls]
cert_file = "{certificates.server_cert}"
key_file = "{certificates.server_key}"
""").start()
    command = ["curl", "-sS", "--cacert", str(certificates.ca), "-H", f"Authorization: Bearer {TOKEN}"]
    good = subprocess.run([*command, f"https://localhost:{box.port}/metrics"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert good.returncode == 0 and "sluice_ready 1" in good.stdout, good.stderr
    plain = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{box.port}/metrics"], capture_output=True, text=True,
                           timeout=30, check=False)
    assert plain.returncode != 0
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", box.port)) as raw, old.wrap_socket(raw):
        pass
    # With both, other machines may be let in; without, it is an error of the configuration.
    everywhere = ["--set", "admin.bind=0.0.0.0:7878"]
    assert sluice("check", "-c", box.agent.config, *everywhere).returncode == 0
    box.agent.config.write_text(box.agent.config.read_text().split("[admin.tls]", maxsplit=1)[0])
    bad = sluice("check", "-c", box.agent.config, *everywhere)
    assert bad.returncode == 78 and "can be reached from other machines" in bad.stderr


def raw(port, data, timeout=5):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        peer.sendall(data)
        answer = b""
        try:
            while part := peer.recv(65536):
                answer += part
        except OSError:
            pass
        return answer


def test_what_is_too_much_is_refused_and_others_are_served_meanwhile(new_agent):
    box = Box(new_agent).start()
    host = b"Host: localhost\r\n"
    for data, code in ((b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * 9000 + b"\r\n\r\n", b"431"),
                       (b"GET / HTTP/1.1\r\n" + host + b"x: 1\r\n" * 100 + b"\r\n", b"431"),
                       (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"414"),
                       (b"POST /api/v1/reload HTTP/1.1\r\n" + host + b"Content-Length: 5000\r\n\r\n", b"413"),
                       (b"\x16\x03\x01\x02<script>\r\n\r\n", b"400")):
        answer = raw(box.port, data)
        assert answer.startswith(b"HTTP/1.1 " + code), (data[:40], answer[:200])
        assert b"script" not in answer
    idle = [socket.create_connection(("127.0.0.1", box.port)) for _ in range(40)]
    try:
        time.sleep(0.5)
        assert raw(box.port, b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n") == b""  # no place
        assert sluice("status", "--data-dir", box.agent.data).returncode == 0
    finally:
        for peer in idle:
            peer.close()
    wait_until(lambda: b"200 OK" in raw(box.port, b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"),
               20, "a place")
    codes = [raw(box.port, b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")[9:12] for _ in range(300)]
    assert codes.count(b"429") > 0 and codes.count(b"200") >= 100, (codes.count(b"429"), codes.count(b"200"))


def test_an_address_that_is_taken_does_not_keep_the_agent_from_its_work(new_agent):
    box = Box(new_agent)
    with socket.socket() as other:
        other.bind(("127.0.0.1", box.port))
        other.listen()
        box.start()
        box.agent.wait_for_output("cannot listen on 127.0.0.1")
        publish(box.mqtt_port, 1)
        assert sluice("status", "--data-dir", box.agent.data).returncode == 0
    wait_until(lambda: "listens on 127.0.0.1" in box.agent.output(), 30, box.agent.output)
    assert box.admin.ask("/healthz")[0] == 200


def test_reload_takes_what_it_can_names_the_rest_and_refuses_whole(new_agent):
    box = Box(new_agent).start()
    box.agent.config.write_text(box.text.replace('topic = "bench/{device}/telemetry"', 'topic = "other/{device}/#"')
                                .replace("max_connections = 20000", "max_connections = 1")
                                .replace('durability = "fsync"', 'durability = "flush"'))
    result = sluice("reload", "--data-dir", box.agent.data)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ("users, ACL and certificates are read again\nchanged: listener.mqtt.max_connections\n"
                             "changed: route\ntakes effect after a restart: stream.telemetry.durability\n")
    publish(box.mqtt_port, 1, "other/d/x")
    publish(box.mqtt_port, 1, "bench/d/telemetry")
    assert len(box.agent.records("telemetry")) == 1 and len(box.agent.records("sluice.dead-letter")) == 1
    keeps = mqtt.Client(client_id="keeps")
    keeps.connect("127.0.0.1", box.mqtt_port)
    keeps.loop_start()
    wait_until(keeps.is_connected, 10, "a connection")
    with socket.create_connection(("127.0.0.1", box.mqtt_port)) as second:
        second.settimeout(10)
        assert second.recv(1) == b""  # there is one place
    keeps.loop_stop()
    box.agent.config.write_text(box.text.replace("max_connections = 20000", "max_conections = 5"))
    result = sluice("reload", "--data-dir", box.agent.data)
    assert result.returncode == 1 and "max_conections" in result.stderr and "nothing is changed" in result.stderr
    assert "reload: nothing is changed:" in box.agent.output()
    box.agent.stop()
    assert "no agent runs" in sluice("reload", "--data-dir", box.agent.data).stderr


def test_a_log_level_is_changed_by_sighup(new_agent):
    import signal  # pylint: disable=import-outside-toplevel
    box = Box(new_agent, more='log_level = "warning"').start(wait_for=None)
    wait_until(lambda: (box.agent.data / "sluice.sock").exists(), 20, box.agent.output)
    box.agent.config.write_text(box.text.replace('"warning"', '"info"'))
    time.sleep(0.3)
    box.agent.process.signal(signal.SIGHUP)
    wait_until(lambda: box.admin.ask("/healthz", unix=True)[0] == 200, 10, "an answer")
    time.sleep(1)
    box.agent.stop()
    assert "stopped" in box.agent.output(), box.agent.output()


def test_devices_tells_who_sends_and_remembers_over_a_restart(new_agent):
    box = Box(new_agent)
    box.agent.config.write_text(box.text.replace('stream = "telemetry"', 'stream = "telemetry"\nkey = "{device}"'))
    box.start()
    for device, count in (("pump-07", 5), ("valve", 1)):
        publish(box.mqtt_port, count, f"bench/{device}/telemetry", b'{"temperature": 61.5}')
    devices = {d["key"]: d for d in map(json.loads, sluice("devices", "--json", "--data-dir", box.agent.data)
                                        .stdout.splitlines())}
    assert devices["pump-07"]["messages"] == 5 and devices["pump-07"]["value"] == '{"temperature": 61.5}'
    assert devices["valve"]["per_minute"] is None and devices["valve"]["silent_seconds"] < 60
    page = sluice("devices", "--data-dir", box.agent.data).stdout
    assert max(map(len, page.splitlines())) <= 80 and "pump-07" in page and "\x1b" not in page
    assert "pump-07" not in sluice("devices", "--silent", "1000", "--data-dir", box.agent.data).stdout
    assert "pump-07" not in sluice("devices", "--stream", "other", "--data-dir", box.agent.data).stdout
    box.agent.stop()
    box.start()
    kept = json.loads(box.admin.ask("/api/v1/devices")[2])
    assert {d["key"]: d["messages"] for d in kept} == {"pump-07": 5, "valve": 1}
    assert all(d["value"] is None for d in kept)


def test_what_kafka_has_taken_is_counted_and_timed(new_agent, kafka, topic):
    box = Box(new_agent, kafka=f"""
[kafka]
brokers = "{kafka.brokers}"
delivery = "exactly-once"
transaction_interval = "100ms"
""")
    box.agent.config.write_text(box.text.replace('durability = "fsync"', f'kafka_topic = "{topic}"'))
    box.start()
    publish(box.mqtt_port, 30)
    status = box.admin.wait_for(lambda s: s["streams"][2]["forwarding"]["forwarded"] == 30, 60)
    assert status["kafka"]["connected"] and status["kafka"]["why"] is None and status["backlog"]["records"] == 0
    assert status["kafka"]["transactions_committed"] > 0 and status["messages"]["forwarded"] >= 30  # and events
    assert box.admin.metric('sluice_stream_forwarded_records_total{stream="telemetry"}') == 30
    assert box.admin.metric('sluice_delivery_delay_seconds_count{stream="telemetry"}') == 30
    assert 0 < box.admin.metric('sluice_delivery_delay_seconds_sum{stream="telemetry"}') < 30 * 60
    assert box.admin.metric('sluice_kafka_transactions_total{state="committed"}') > 0
    assert "connected" in sluice("status", "--data-dir", box.agent.data).stdout
