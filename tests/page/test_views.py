"""Each view of the page with data: what it shows is what the agent has."""
import pytest
from selenium.webdriver.common.keys import Keys

from browser import PHONE, VIEWS


def ready(browser, scene, view):
    """Opens a view and waits until it shows something of its own."""
    shows = {"overview": "telemetry", "devices": "pump-00", "curve": "values from", "alerts": "is too hot", "records": "looked at",
             "sql": "rows in"}
    if view == "alerts":
        scene.wait_for_alert()
    browser.open(scene, view).wait_for(shows[view])


def test_the_overview_shows_rates_curves_and_streams(browser, scene):
    browser.open(scene).wait_for("25/s", ".tile:nth-child(2)")
    browser.wait(lambda: len(browser.curves()) == 2 and browser.curves()[0] > 100, what="a curve of the rates")
    # What came in the last few milliseconds, or nothing.
    browser.wait(lambda: any(text in browser.text(".tile:nth-child(4)") for text in ("all is forwarded", "gone within a second")),
                 what="a backlog of next to nothing")
    assert "cluster" in browser.text() and "● connected" in browser.text()
    assert "ready" in browser.text("#link")


def test_a_device_has_its_last_value_its_rate_and_its_silence(browser, scene):
    ready(browser, scene, "devices")
    browser.wait_for("1 to 5 of 5 devices")
    browser.type("input[type=search]", "pump-03")
    browser.wait_for("1 to 1 of 1 devices")
    row = browser.text("tbody tr")
    assert "pump-03" in row and '{"temperature": ' in row and "telemetry" in row


@pytest.mark.long
def test_a_silent_device_is_said_to_be(browser, new_scene):
    scene = new_scene(devices=0)
    for number in range(3):
        scene.publish("pump-quiet", {"temperature": number}).wait_for_publish(10)
    browser.open(scene, "devices").wait_for("▲ 1", "tbody", timeout=25)


def test_a_curve_comes_out_of_the_log_and_is_zoomed(browser, scene):
    ready(browser, scene, "curve")
    browser.wait(lambda: browser.curves() and browser.curves()[0] > 50, what="a curve")
    assert "temperature" in browser.text("form")
    browser.script("const s = document.querySelectorAll('form select')[1]; s.value = '/motor/rpm'; s.dispatchEvent(new Event('change'))")
    browser.wait_for("motor/rpm", ".legend")
    before = browser.text(".card p")
    browser.script("[...document.querySelectorAll('button')].find((b) => b.textContent === 'zoom in').click()")
    browser.wait(lambda: browser.text(".card p") != before, what="another range")
    browser.driver.refresh()  # the address has what is shown
    browser.wait_for("motor/rpm", ".legend")


def test_an_alert_has_its_rule_and_the_curve_that_caused_it(browser, scene):
    ready(browser, scene, "alerts")
    browser.wait_for("avg(temperature, 10s) > 80", "dl")
    browser.wait(lambda: browser.curves() and browser.curves()[0] > 200, what="the curve and the time in which it fires")
    assert browser.text("#firing") == "1"


def test_a_record_is_found_by_key_and_text_and_has_its_proof_of_delivery(browser, scene):
    scene.publish("pump-04", {"note": "needle in the hay"}).wait_for_publish(10)
    browser.open(scene, "records", "?stream=telemetry&key=pump-04")
    browser.wait_for("pump-04", "tbody")
    browser.type("input[type=search]", "NEEDLE", submit=True)
    browser.wait_for("1 records", "[role=status]")
    assert "needle in the hay" in browser.text("tbody")

    def delivered():
        browser.click("tbody button")
        return "● delivered" in browser.text("tbody")
    browser.wait(delivered, what="a proof")
    assert "topic telemetry, partition 0, offset " in browser.text("tbody")
    browser.type("input[type=search]", "no such text", submit=True)
    browser.wait_for("No record is like that.")


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_needs_no_scrolling_sideways(browser, scene, view):
    browser.size(*PHONE)
    ready(browser, scene, view)
    assert browser.script("return document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_name_for_screen_readers(browser, scene, view):
    ready(browser, scene, view)
    tree = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "textbox", "combobox", "searchbox", "table", "image", "region", "meter"}
    nameless = [node["role"]["value"] for node in tree if not node.get("ignored") and node["role"]["value"] in roles
                and not node.get("name", {}).get("value")]
    assert nameless == []


def test_sql_gives_rows_marks_what_is_wrong_and_is_in_the_address(browser, scene):
    browser.expected += ["400 (Bad Request)"]
    ready(browser, scene, "sql")
    browser.click(".tries button:nth-child(4)")
    browser.wait_for("5 rows in", "[role=status]")
    assert "pump-03" in browser.text("tbody")
    browser.driver.refresh()
    browser.wait_for("5 rows in", "[role=status]")
    browser.script("document.querySelector('textarea').value = 'select 1,\\n  nowhere\\nfrom telemetry'")
    browser.click("button.primary")
    browser.wait_for("no such column: nowhere", "[role=status]")
    assert browser.text("pre.bad") == "  nowhere\n  ^"
    browser.script("document.querySelector('textarea').value = 'with recursive n(i) as (select 1 union all select i + 1 from n) select i from n'")
    browser.click("button.primary")
    browser.wait_for("1,000 rows in", "[role=status]")
    assert "there are more rows" in browser.text("[role=status]")


def test_in_the_dark_the_page_and_its_curves_are(browser, scene):
    browser.dark(True)
    ready(browser, scene, "overview")
    red, green, blue = browser.script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(red, green, blue) < 60
    light = browser.script("return getComputedStyle(document.body).color.match(/\\d+/g).map(Number)")
    assert min(light) > 180
    browser.wait(lambda: browser.curves()[0] > 100, what="a curve")


def test_the_keyboard_reaches_every_view(browser, scene):
    ready(browser, scene, "overview")
    browser.script("document.activeElement.blur()")
    reached = []
    for _ in range(8):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.script("return document.activeElement.getAttribute('href')"))
    assert reached[:7] == ["#main"] + [f"#/{view}" for view in VIEWS]
    browser.script("document.querySelector('#nav a[href=\"#/records\"]').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.wait_for("looked at")
    assert browser.script("return document.activeElement.id") == "main"


@pytest.mark.long
def test_the_first_paint_takes_less_than_300_ms(browser, scene):
    times = []
    for _ in range(3):
        browser.open(scene).wait_for("telemetry")
        times.append(browser.script("return performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    print("first paint:", times)
    assert min(times) < 300
