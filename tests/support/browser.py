"""A real Chromium without a window, driven by chromedriver."""

import json
import os
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from support.waiting import PATIENCE, wait_for


class Browser:
    """One window. `scripts=False` turns JavaScript off; `dark` is what the page is told of the user's liking."""

    def __init__(self, scripts=True, dark=False):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        self._scripts = scripts
        self._profile = tempfile.mkdtemp(prefix="probegate-browser-")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1600",
                         "--no-first-run", "--disable-background-networking", "--disable-component-update",
                         f"--user-data-dir={self._profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        service = Service("/usr/bin/chromedriver", log_path=os.devnull)
        self._driver = webdriver.Chrome(service=service, options=options)
        self._driver.set_page_load_timeout(PATIENCE)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, url):
        self.requests()
        self.complaints()
        self._driver.get(url)
        return self

    @property
    def title(self):
        return self._driver.title

    @property
    def source(self):
        """The document as it stands, scripts' changes included."""
        return self._driver.page_source

    def text(self, selector="body"):
        return self.texts(selector)[0]

    def texts(self, selector):
        """Read at one moment, because a live page may replace an element between two questions."""
        if self._scripts:
            return self.run("return [...document.querySelectorAll(arguments[0])].map(found => found.innerText)", selector)
        return [found.text for found in self.all(selector)]

    def all(self, selector):
        return self._driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script, *arguments):
        return self._driver.execute_script(script, *arguments)

    def run_async(self, script, *arguments):
        """The script gets a function as its last argument, and calls it with the result."""
        return self._driver.execute_async_script(script, *arguments)

    def press(self, *keys):
        self._driver.switch_to.active_element.send_keys(*keys)

    @property
    def focused(self):
        return self._driver.switch_to.active_element

    def wait_for_text(self, selector, part):
        return wait_for(lambda: self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector),
                        lambda text: part in text, f"{part!r} in {selector}")

    def requests(self):
        """The URLs that the page has asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What the browser had to say since the last call: scripts that failed, policies that were broken."""
        return [entry["message"] for entry in self._driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path):
        self._driver.save_screenshot(path)

    def close(self):
        self._driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)
