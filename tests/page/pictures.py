"""Makes the pictures of the page that README and docs show, of an agent that is running: ./dev page-pictures."""
import pathlib
import sys
import tempfile
import time
from urllib.parse import quote

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from browser import DESKTOP, PHONE, Browser  # noqa: E402
from scene import Scene  # noqa: E402
from support.kafka import Kafka  # noqa: E402

#         name                 view        query                                                    dark   size     shows
PICTURES = [
    ("page-overview", "overview", "", False, DESKTOP, "telemetry"),
    ("page-overview-dark", "overview", "", True, DESKTOP, "telemetry"),
    ("page-phone", "overview", "", False, PHONE, "telemetry"),
    ("page-devices", "devices", "", False, DESKTOP, "pump-00"),
    ("page-curve", "curve", "?key=pump-02&field=/temperature&span=300", False, DESKTOP, "values from"),
    ("page-alerts", "alerts", "", False, DESKTOP, "is too hot"),
    ("page-sql", "sql", "?query=" + quote("select key, count(*) as records, round(avg(value ->> '$.temperature'), 1) as temperature\nfrom telemetry "
                                          "where timestamp > now('-1 minute')\ngroup by key"), False, DESKTOP, "rows in"),
    ("page-records", "records", "?stream=telemetry", False, DESKTOP, "looked at"),
]


def main(out):
    with tempfile.TemporaryDirectory() as directory:
        kafka = Kafka(pathlib.Path(directory) / "kafka").start()
        scene = Scene(pathlib.Path(directory) / "agent", kafka)
        browser = Browser()
        try:
            scene.wait_for_alert()
            time.sleep(20)
            kafka.kill()
            time.sleep(20)
            kafka.start()
            time.sleep(15)
            for name, view, query, dark, size, shows in PICTURES:
                browser.reset()
                browser.dark(dark)
                browser.size(*size)
                browser.open(scene, view, query).wait_for(shows)
                if view == "records":
                    browser.click("tbody tr:nth-child(20) button")
                time.sleep(3)
                browser.screenshot(pathlib.Path(out) / f"{name}.png")
        finally:
            browser.quit()
            scene.end()
            kafka.stop()


if __name__ == "__main__":
    main(sys.argv[1])
