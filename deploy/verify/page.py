"""Looks at the gateway's own page in a real browser: it shows what happens, obeys its policy, and can be used by mouse and keyboard.

python deploy/verify/page.py --url http://127.0.0.1:8080 --out build/verify    needs selenium, Debian's chromium and chromium-driver

The gateway must have answered something, and go on answering. Screenshots, light and dark, wide and narrow, are left in `--out`.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 60
SIZES = {"wide": (1400, 1050), "narrow": (420, 1800)}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
MORE = ("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1")


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A new browser with an empty profile, whose console is kept."""
    with tempfile.TemporaryDirectory(prefix="smallfirst-browser-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, *MORE, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
        try:
            yield driver
        finally:
            driver.quit()


def main() -> int:
    """0 if the page is as it should be; raises where it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", help="an administrator's, where the gateway asks for keys")
    parser.add_argument("--out", type=Path, default=Path("build/verify"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with browser() as driver:
        if given.key:
            driver.execute_cdp_cmd("Network.enable", {})
            driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Authorization": f"Bearer {given.key}"}})
        driver.get(f"{given.url}/dashboard")
        _lives(driver)
        _chooses(driver)
        _pictures(driver, given.out)
        _pauses(driver)
        said = [line["message"] for line in driver.get_log("browser")]
    assert not said, said  # noqa: S101  # a refused script, style or request would stand here
    print("page: live, its policy kept, usable by mouse and keyboard, pictures taken")
    return 0


def _lives(driver: webdriver.Chrome) -> None:
    _until(driver, lambda: len(_rows(driver)) >= 5)
    newest = _rows(driver)[0].get_attribute("data-id")
    _until(driver, lambda: _rows(driver)[0].get_attribute("data-id") != newest)
    assert _text(driver, "state") == "live"  # noqa: S101
    tiles = {name: _text(driver, name) for name in ("saved", "share", "cps", "time", "requests")}
    assert all(text.strip("\u2013") for text in tiles.values()), tiles  # noqa: S101
    assert driver.find_elements(By.CSS_SELECTOR, "#reasons .bar")  # noqa: S101
    assert not re.search(r"\de[+-]\d", driver.find_element(By.TAG_NAME, "body").text)  # noqa: S101  # a number for people
    print(f"page: {tiles}; {_text(driver, 'promises')!r}")


def _chooses(driver: webdriver.Chrome) -> None:
    """By mouse, then by keyboard: a request that took two tiers is drawn with both."""
    _click(driver, "#pause")  # a list that moves is no target
    row = next(row for row in _rows(driver) if len(row.find_elements(By.CSS_SELECTOR, ".way .chip")) > 1)
    chosen = row.get_attribute("data-id")
    row.click()
    _until(driver, lambda: len(driver.find_elements(By.CSS_SELECTOR, "#path .step:not(.end)")) > 1)
    assert chosen in _text(driver, "path-about")  # noqa: S101
    assert driver.find_elements(By.CSS_SELECTOR, "#path .step.left")  # noqa: S101
    place, other = next((place, row) for place, row in enumerate(_rows(driver)) if row.get_attribute("data-id") != chosen)
    driver.execute_script("arguments[0].focus()", other)
    other.send_keys(Keys.ENTER)
    _until(driver, lambda: _rows(driver)[place].get_attribute("aria-selected") == "true")
    _rows(driver)[place].click()
    next(row for row in _rows(driver) if row.get_attribute("data-id") == chosen).click()
    _click(driver, "#pause")
    assert _text(driver, "state") != "paused"  # noqa: S101


def _pictures(driver: webdriver.Chrome, out: Path) -> None:
    for scheme in ("light", "dark"):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        for name, (width, height) in SIZES.items():
            driver.set_window_size(width, height)
            assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), (scheme, name)  # noqa: S101
            driver.execute_script("window.scrollTo(0, 0)")
            driver.save_screenshot(str(out / f"page-{scheme}-{name}.png"))


def _pauses(driver: webdriver.Chrome) -> None:
    _click(driver, "#pause")
    assert _text(driver, "state") == "paused"  # noqa: S101


def _rows(driver: webdriver.Chrome) -> list[WebElement]:
    return driver.find_elements(By.CSS_SELECTOR, "#rows tr")


def _text(driver: webdriver.Chrome, name: str) -> str:
    return driver.find_element(By.ID, name).text


def _click(driver: webdriver.Chrome, selector: str) -> None:
    driver.find_element(By.CSS_SELECTOR, selector).click()


def _until(driver: webdriver.Chrome, holds: object) -> None:
    WebDriverWait(driver, PATIENCE, ignored_exceptions=_MOVED).until(lambda _: holds())  # type: ignore[operator]


_MOVED = [StaleElementReferenceException]

if __name__ == "__main__":
    sys.exit(main())
