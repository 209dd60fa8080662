"""Chromium without a window, looking at the page."""
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

VIEWS = ("overview", "devices", "curve", "alerts", "records", "sql")
DESKTOP = (1280, 900)
PHONE = (390, 844)


class Browser:
    def __init__(self):
        options = Options()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.reset()

    def quit(self):
        self.driver.quit()

    def reset(self):
        self.driver.get("about:blank")
        self.size(*DESKTOP)
        self.dark(False)
        self.driver.get_log("browser")
        self.expected = ["willReadFrequently"]  # curves() reads what is drawn

    def size(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 640)

    def dark(self, wanted):
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}])

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, scene, view="overview", query=""):
        self.driver.get("about:blank")
        self.driver.get(f"{scene.url}#/{view}{query}")
        return self

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector="main"):
        return self.script("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join('\\n')", selector)

    def wait(self, holds, timeout=15, what=""):
        """Until `holds()` is true; what it says last is said where it never is."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if holds():
                return
            time.sleep(0.1)
        raise AssertionError(f"{what or 'what was waited for'} did not come; the page shows:\n{self.text('body')[:3000]}")

    def wait_for(self, text, selector="main", timeout=15):
        self.wait(lambda: text in self.text(selector), timeout, f"{text!r} in {selector}")

    def click(self, selector):
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector, text, submit=False):
        field = self.driver.find_element(By.CSS_SELECTOR, selector)
        field.clear()
        field.send_keys(text + (Keys.ENTER if submit else ""))

    def curves(self):
        """How many pixels of each chart are of a curve or a band: an empty one has none."""
        return self.script("""
            return [...document.querySelectorAll('.chart')].map((chart) => {
              let drawn = 0;
              for (const canvas of chart.querySelectorAll('canvas')) {
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                for (let i = 0; i < data.length; i += 4) {
                  const [r, g, b, a] = data.slice(i, i + 4);
                  if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60) ++drawn;
                }
              }
              return drawn;
            });""")

    def faults(self):
        """What the browser complained of, but for what the test expects."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
                and not any(text in entry["message"] for text in self.expected)]

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))
