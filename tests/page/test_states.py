"""The page where something is missing, hostile, too much or away."""
import json
import time

import pytest

from browser import VIEWS

TOKEN = "0123456789abcdef0123456789abcdef"
SCRIPT = "<script>window.hacked=1</script>"
IMAGE = "<img src=x onerror='window.hacked=2'>"
QUOTES = "\"'><svg onload=window.hacked=3>"


@pytest.mark.long
def test_an_outage_of_the_cluster_is_on_the_time_line_with_its_reason(browser, scene):
    browser.open(scene).wait_for("25/s", ".tile:nth-child(3)")
    scene.kafka.kill()
    try:
        browser.wait_for("not connected", "[aria-label='Sources and cluster']", timeout=40)
        browser.wait_for("▲ still", "[aria-label=Outages]")
        browser.wait_for("grows until the cluster is back", ".tile")
        assert "ready, with notes" in browser.text("#link")
        browser.wait(lambda: browser.curves()[1] > 100, what="a backlog")
    finally:
        scene.kafka.start()
    browser.wait(lambda: "grows" not in browser.text(".tile"), timeout=60, what="a backlog that shrinks")
    browser.wait(lambda: "▲ still" not in browser.text("[aria-label=Outages]"), what="the end of the outage")


def test_an_agent_that_ends_is_noticed_and_one_that_is_back_too(browser, new_scene):
    scene = new_scene()
    browser.expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
    browser.open(scene).wait_for("telemetry")
    scene.agent.kill()
    browser.wait_for("No connection since", "#banner")
    assert "disconnected" in browser.text("#link") and "What is shown is of" in browser.text("#banner")
    assert browser.script("return document.body.classList.contains('stale')")
    scene.agent.start()
    browser.wait_for("ready", "#link", timeout=20)
    browser.wait(lambda: not browser.script("return document.body.classList.contains('stale')"), what="fresh data")
    assert browser.script("return document.getElementById('banner').hidden")


@pytest.mark.long
def test_an_agent_that_stands_still_is_noticed(browser, new_scene):
    import signal
    scene = new_scene(devices=0)
    browser.open(scene).wait_for("telemetry")
    scene.agent.process.signal(signal.SIGSTOP)
    browser.wait_for("the agent has gone silent", "#banner", timeout=15)
    scene.agent.process.signal(signal.SIGCONT)
    browser.wait_for("ready", "#link", timeout=20)


def test_an_agent_without_data_says_so_in_every_view(browser, new_scene):
    scene = new_scene(devices=0)
    says = {"overview": "None since the agent has started.", "devices": "No device has sent yet.", "curve": "Choose a device.",
            "alerts": "Nothing fires.", "records": "No record is like that.",
            "sql": "0 rows in"}
    for view in VIEWS:
        browser.open(scene, view).wait_for(says[view])


def test_what_devices_write_is_shown_and_never_executed(browser, new_scene):
    scene = new_scene(devices=0)
    names = [SCRIPT.replace("/", "|"), IMAGE, QUOTES]
    for name in names:
        for step in range(3):
            scene.publish(name, {"temperature": 99 + step, SCRIPT: 1.5 + step, IMAGE: QUOTES}).wait_for_publish(10)
        scene.publish(name, f"{SCRIPT}{IMAGE}{QUOTES}".encode()).wait_for_publish(10)
        scene.publish(name, {"temperature": 120, SCRIPT: 7}).wait_for_publish(10)
    scene.publish("\u202ebinary", bytes(range(256))).wait_for_publish(10)
    scene.wait_for_alert()
    for view, shows in {"devices": IMAGE, "alerts": f"{IMAGE} is too hot", "records": SCRIPT + IMAGE,
                        "sql": SCRIPT + IMAGE}.items():
        browser.open(scene, view).wait_for(shows)
    for name in names:
        from urllib.parse import urlencode
        query = urlencode({"stream": "telemetry", "key": name, "field": "/" + SCRIPT.replace("/", "~1")})
        browser.open(scene, "curve", "?" + query).wait_for(SCRIPT, ".legend")
        browser.wait(lambda: browser.curves(), what="a chart")
    browser.open(scene, "records").wait_for("base64:", "tbody")
    browser.open(scene, "overview").wait_for("telemetry")
    for view in VIEWS:
        browser.open(scene, view, f"?key={IMAGE}&text={SCRIPT}&stream={QUOTES}&field={IMAGE}")
        time.sleep(0.5)
        assert browser.script("return window.hacked") is None
        assert browser.script("return document.querySelectorAll('main script, main svg, main img').length") == 0


@pytest.mark.long
def test_ten_thousand_devices_are_a_page_at_a_time(browser, new_scene):
    scene = new_scene(devices=0)
    last = [scene.publish(f"d-{n:05}", {"temperature": 20}) for n in range(10_000)][-1]
    last.wait_for_publish(60)
    began = time.monotonic()
    browser.open(scene, "devices").wait_for("1 to 100 of 10,000 devices")
    took = time.monotonic() - began
    print(f"10,000 devices: shown after {took:.2f} s")
    assert took < 5
    assert browser.script("return document.querySelectorAll('tbody tr').length") == 100
    browser.script("[...document.querySelectorAll('button')].find((b) => b.textContent === 'On').click()")
    browser.wait_for("101 to 200 of 10,000 devices")
    browser.type("input[type=search]", "d-04711")
    browser.wait_for("1 to 1 of 1 devices")
    browser.open(scene, "overview").wait_for("telemetry")


def test_with_a_token_the_page_asks_for_it_and_keeps_it_for_the_tab(browser, new_scene, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    scene = new_scene(devices=0, admin=f'token_file = "{token_file}"')
    browser.expected += ["401 (Unauthorized)"]
    browser.open(scene).wait_for("Log in")
    browser.type("#token", "0" * 32, submit=True)
    browser.wait_for("This token is not the one of [admin].")
    browser.type("#token", TOKEN, submit=True)
    browser.wait_for("telemetry")
    browser.driver.refresh()
    browser.wait_for("telemetry")
    browser.wait_for("ready", "#link")
    assert TOKEN not in json.dumps(browser.script("return [document.cookie, {...localStorage}, location.href]"))
    browser.script("sessionStorage.clear()")
