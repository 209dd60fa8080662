"""The HTTP API that the page uses: as docs/openapi.yaml says, bounded, and as safe as the rest of the endpoint."""
import gzip
import http.client
import json
import pathlib
import socket
import threading
import time
import urllib.parse

import jsonschema
import pytest
import yaml

from support.processes import wait_until

ROOT = pathlib.Path(__file__).parents[2]
OPENAPI = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
NEEDED = {"/api/v1/records": "stream=telemetry", "/api/v1/sql": "query=select+*+from+telemetry+limit+3", "/api/v1/why": "stream=telemetry&offset=0",
          "/api/v1/series": "stream=telemetry&key=pump-01&field=/temperature&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"}
PAGE_BYTES_MAX = 300 << 10


def check(answer, response):
    """Holds a JSON answer to the schema of the response."""
    if "$ref" in response:
        response = OPENAPI["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    schema = response["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": OPENAPI["components"]}).validate(answer)


def events(scene, count):
    """The first events, as they came."""
    connection = http.client.HTTPConnection("127.0.0.1", scene.port, timeout=10)
    connection.request("GET", "/api/v1/events")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"
    found, lines = [], []
    while len(found) < count:
        line = answer.readline().decode().rstrip("\n")
        if line:
            lines.append(line)
        else:
            found.append(lines)
            lines = []
    connection.close()
    return found


@pytest.mark.parametrize("path", [path for path, methods in OPENAPI["paths"].items() if "get" in methods])
def test_the_agent_answers_as_the_description_says(scene, path):
    if path == "/api/v1/alerts":
        scene.wait_for_alert()
    if path == "/api/v1/events":
        return
    code, headers, text = scene.admin.ask(f"{path}?{NEEDED.get(path, '')}")
    response = OPENAPI["paths"][path]["get"]["responses"][str(code)]
    assert code == 200
    if path == "/metrics":
        return
    assert headers["Content-Type"] == "application/json"
    check(json.loads(text), response)


def test_nothing_is_answered_that_is_not_described(scene):
    described = set(OPENAPI["paths"])
    source = "".join(file.read_text() for file in (ROOT / "agent/admin").glob("*.cpp"))
    import re
    paths = set(re.findall(r'"(/(?:api/v1/[a-z/]+|metrics|healthz|readyz))"', source))
    assert paths == described
    for path in described - {"/api/v1/events"}:
        method = "GET" if "get" in OPENAPI["paths"][path] else "POST"
        assert scene.admin.ask(path, method=method)[0] not in (404, 405), path


@pytest.mark.parametrize("query", [
    "records", "records?stream=", "records?stream=nothing", "records?stream=telemetry&limit=0", "records?stream=telemetry&limit=501",
    "records?stream=telemetry&from=yesterday", "records?stream=telemetry&order=up", "records?stream=telemetry&stream=telemetry",
    "records?stream=%zz", "records?stream=../../etc", "series?stream=telemetry", "why?stream=telemetry", "why?stream=telemetry&offset=-1",
    "series?stream=telemetry&key=a&field=nopointer&from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z",
    "series?stream=telemetry&key=a&field=/a&from=2021-01-01T00:00:00Z&to=2020-01-01T00:00:00Z",
    "sql", "sql?query=", "sql?query=%zz", "sql?query=delete+from+telemetry", "sql?query=select+1;select+2", "sql?query=vacuum",
    "sql?query=attach+%27/etc/passwd%27+as+p",
    "history?seconds=0", "history?seconds=1e9", "devices?limit=x", "devices?order=up"])
def test_what_can_not_be_answered_is_refused_and_not_repeated(scene, query):
    code, _, text = scene.admin.ask(f"/api/v1/{query}")
    assert code in (400, 404), text
    path = "/api/v1/" + query.split("?")[0]
    check(json.loads(text), OPENAPI["paths"][path]["get"]["responses"][str(code)])
    assert "etc" not in text and "yesterday" not in text


def test_records_are_found_from_either_end_page_by_page(new_scene):
    scene = new_scene(devices=0)
    for number in range(700):
        last = scene.publish(f"d-{number % 7}", {"n": number, "text": "Odd" if number % 2 else "Even"})
    last.wait_for_publish(20)

    def pages(query, end):
        found, extra = [], ""
        for _ in range(100):
            answer = scene.api(f"records?stream=telemetry&{query}{extra}")
            found.append([json.loads(record["value"])["n"] for record in answer["records"]])
            if answer["next"] is None:
                return found
            extra = f"&{end}={answer['next']}"
        raise AssertionError("it never ends")

    newest = pages("limit=150", "to")
    assert [n for page in newest for n in page] == list(range(699, -1, -1)) and len(newest) == 5
    oldest = pages("limit=150&order=oldest", "from")
    assert [n for page in oldest for n in page] == list(range(700))
    key = pages("limit=40&key=d-3&text=ODD", "to")
    assert [n for page in key for n in page] == [n for n in range(699, -1, -1) if n % 7 == 3 and n % 2]
    between = scene.api("records?stream=telemetry&order=oldest&from=100&to=103")["records"]
    assert [record["offset"] for record in between] == [100, 101, 102]
    at = scene.api("records?stream=telemetry&order=oldest&limit=1&from=350")["records"][0]["time"]
    timed = scene.api(f"records?stream=telemetry&order=oldest&limit=500&from={at}")["records"]
    assert timed and all(record["time"] >= at for record in timed)


def test_a_long_value_is_cut_and_bytes_are_base64(new_scene):
    scene = new_scene(devices=0)
    scene.publish("d", ("ä" * 20_000).encode()).wait_for_publish(10)
    scene.publish("d", b"\xff\x00").wait_for_publish(10)
    binary, long = scene.api("records?stream=telemetry")["records"]
    assert binary["value_base64"] == "/wA=" and "value" not in binary
    assert long["value_bytes"] == 40_000 and long["value"] == "ä" * 8192


def test_a_curve_keeps_the_peak(new_scene):
    scene = new_scene(devices=0)
    for number in range(3000):
        last = scene.publish("d", {"v": 1000 if number == 1234 else number % 10})
    last.wait_for_publish(30)
    curve = scene.api("series?stream=telemetry&key=d&field=/v&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&points=40")
    assert curve["found"] == 3000 and len(curve["value"]) <= 40 and max(curve["value"]) == 1000 and curve["complete"]


def test_an_event_comes_each_second_with_the_newest_state(scene):
    began = time.monotonic()
    found = events(scene, 4)
    assert 2 < time.monotonic() - began < 6
    times = []
    for event, data in found:
        assert event == "event: state" and data.startswith("data: ")
        state = json.loads(data[6:])
        check(state, {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}})
        times.append(state["status"]["time"])
    assert len(set(times)) == 4 and times == sorted(times)
    assert state["history"]["accepted"] > 0


def test_the_ninth_follower_is_refused_and_gets_a_place_when_one_leaves(new_scene):
    scene = new_scene(devices=0)
    followers = []
    for _ in range(8):
        follower = socket.create_connection(("127.0.0.1", scene.port))
        follower.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in follower.recv(4096)
        followers.append(follower)
    assert scene.admin.ask("/api/v1/events")[0] == 503
    assert scene.admin.ask("/api/v1/status")[0] == 200
    followers.pop().close()
    time.sleep(3)
    assert len(events(scene, 1)) == 1
    for follower in followers:
        follower.close()


@pytest.mark.long
def test_who_does_not_read_is_dropped_and_costs_no_memory(new_scene):
    scene = new_scene(devices=0, more="".join(f'[stream.s{n:03}]\ndurability = "flush"\n' for n in range(150)))
    follower = socket.socket()
    follower.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    follower.connect(("127.0.0.1", scene.port))
    follower.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(5)
    before = scene.admin.status()["process"]["resident_bytes"]
    fds = scene.admin.status()["process"]["open_fds"]
    deadline = time.monotonic() + 30
    while scene.admin.status()["process"]["open_fds"] >= fds and time.monotonic() < deadline:
        time.sleep(0.5)
    after = scene.admin.status()["process"]
    assert after["open_fds"] < fds, "the follower was not dropped"
    assert after["resident_bytes"] < before + (8 << 20)
    follower.close()


def ask_sql(scene, query):
    code, _, text = scene.admin.ask("/api/v1/sql?" + urllib.parse.urlencode({"query": query}))
    return code, json.loads(text)


def test_sql_is_answered_and_its_errors_have_a_place(scene):
    wait_until(lambda: ask_sql(scene, "select count(*) from telemetry where key = 'pump-01'")[1]["rows"][0][0] > 1, 10, lambda: "two records")
    code, answer = ask_sql(scene, "select key, value ->> '$.temperature' as t, x'00ff' as b, null as n from telemetry where key = 'pump-01' "
                                  "order by offset limit 2")
    assert code == 200 and answer["complete"] and answer["why"] is None
    assert answer["columns"] == ["key", "t", "b", "n"] and len(answer["rows"]) == 2
    assert answer["rows"][0][0] == "pump-01" and isinstance(answer["rows"][0][1], float) and answer["rows"][0][2:] == ["base64:AP8=", None]
    code, answer = ask_sql(scene, "select count(*) from devices")
    assert answer["rows"] == [[5]]
    code, answer = ask_sql(scene, "select\n nowhere from telemetry")
    assert code == 400 and "nowhere" in answer["error"] and answer["at"] == 8


@pytest.mark.parametrize("query,why", [
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", "there are more rows"),
    ("select hex(zeroblob(500000)) from telemetry, telemetry as b", "there are more rows"),
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "takes too long"),
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select i, hex(randomblob(900)) from n order by 2", "too much memory")])
def test_sql_ends_where_it_would_take_too_much(scene, query, why):
    before = scene.admin.status()["process"]["resident_bytes"]
    began = time.monotonic()
    code, answer = ask_sql(scene, query)
    assert code == 200 and not answer["complete"] and why in answer["why"]
    assert time.monotonic() - began < 10
    assert len(json.dumps(answer)) < 6 << 20
    assert scene.admin.status()["process"]["resident_bytes"] < before + (64 << 20)


@pytest.mark.long
def test_many_queries_at_once_are_refused_and_hold_up_nothing_else(new_scene):
    scene = new_scene(devices=0)
    for _ in range(40):
        for number in range(250):
            last = scene.publish("d", {"pad": "x" * 2000, "n": number})
        last.wait_for_publish(30)
    codes = []
    path = "/api/v1/records?stream=telemetry&text=nothing+has+this"
    threads = [threading.Thread(target=lambda: codes.append(scene.admin.ask(path)[0])) for _ in range(25)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert scene.admin.ask("/healthz")[0] == 200
    assert time.monotonic() - began < 1
    for thread in threads:
        thread.join()
    assert set(codes) == {200, 503} and codes.count(200) >= 8


def test_the_page_is_small_compressed_and_allows_no_script_but_its_own(scene):
    source = (ROOT / "agent/page/index.html").read_text()
    import re
    paths = {"/"} | set(re.findall(r'"(/page/[^"]+)"', source)) | {f"/page/{file.name}" for file in (ROOT / "agent/page").glob("*.js")}
    total = 0
    for path in sorted(paths):
        connection = http.client.HTTPConnection("127.0.0.1", scene.port, timeout=10)
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200 and answer.getheader("Content-Encoding") == "gzip", path
        policy = answer.getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        total += len(gzip.decompress(body))
        code, headers, text = scene.admin.ask(path)
        assert code == 200 and text.encode() == gzip.decompress(body) and "Content-Encoding" not in headers
        assert scene.admin.ask(path, headers={"If-None-Match": headers["ETag"]})[0] == 304
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|style=\"", text) or path.endswith(".js")
    print(f"the page: {total} bytes")
    assert total < PAGE_BYTES_MAX


def test_with_a_token_the_page_is_there_and_the_data_is_not(new_scene, tmp_path):
    token = "0123456789abcdef0123456789abcdef"
    (tmp_path / "token").write_text(token)
    (tmp_path / "token").chmod(0o600)
    scene = new_scene(devices=0, admin=f'token_file = "{tmp_path / "token"}"')
    assert scene.admin.ask("/")[0] == 200
    for path, methods in OPENAPI["paths"].items():
        if "get" in methods and methods["get"].get("security") != []:
            assert scene.admin.ask(f"{path}?{NEEDED.get(path, '')}")[0] == 401, path
    assert scene.admin.ask("/api/v1/rules", headers={"Authorization": f"Bearer {token}"})[0] == 200
