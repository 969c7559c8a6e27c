"""The dashboard in a real browser (Debian's chromium, driven by selenium), and what an eye would check of it."""

import contextlib
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from .waiting import wait_for

# What a person would complain of, found by the page's own styles: text of too little contrast, controls
# without a name, headings that skip a level, ids that stand there twice.
COMPLAINTS = r"""
const found = [];
const visible = e => { const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  return r.width > 1 && r.height > 1 && s.visibility !== "hidden" && s.display !== "none" && e.checkVisibility(); };
const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])).concat(1);
const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
  return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
function back(e) { const layers = [];
  for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) layers.push(c); if (c[3] === 1) break; }
  return layers.reverse().reduce((under, c) => over(c, under), [255, 255, 255, 1]); }
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) { const e = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !visible(e) || e.closest("canvas, noscript, script")) continue;
  const s = getComputedStyle(e), b = back(e), c = over(parse(s.color), b), [x, y] = [light(c), light(b)].sort((p, q) => q - p);
  const ratio = (x + .05) / (y + .05), size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && s.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)} of '${texts.currentNode.data.trim().slice(0, 40)}' (${s.color} on ${b})`); }
for (const e of document.querySelectorAll("a[href], button, input, select, textarea, [tabindex='0'], summary, [role=progressbar], [role=img], canvas[role]")) {
  const label = e.labels && e.labels.length ? e.labels[0].textContent : "";
  if (visible(e) && !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || label || e.textContent || "").trim()) found.push(`no name: ${e.outerHTML.slice(0, 90)}`); }
let level = 0;
for (const e of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) { if (!visible(e)) continue;
  const now = Number(e.nodeName[1]); if (now > level + 1) found.push(`heading h${now} after h${level}: ${e.textContent}`); level = now; }
const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => found.push(`id twice: ${id}`));
for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) found.push("an img without alt");
if (!document.documentElement.lang) found.push("no lang");
return [...new Set(found)];
"""


class Page:
    """A browser for one module; `driver` is selenium's."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="bm-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--disable-component-update", "--no-first-run",
                     f"--user-data-dir={self.profile.name}"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(20)
        self.driver.set_script_timeout(20)

    def close(self):
        self.driver.quit()
        with contextlib.suppress(OSError):
            self.profile.cleanup()

    def size(self, width, height=900):
        """Of the page itself: a window of a browser is never as narrow as a phone."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def colours(self, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="body"):
        return self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait_text(self, text, selector="body", seconds=20):
        return wait_for(lambda: text in self.text(selector), seconds, f"'{text}' in {selector} of the page",
                        explain=lambda: self.text()[:3000])

    def console(self):
        """What it complained of since the last question."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def complaints(self):
        return self.run(COMPLAINTS)

    def picture(self, path, whole=False):
        if whole:
            height = self.run("return document.documentElement.scrollHeight")
            self.size(self.run("return innerWidth"), height)
        self.driver.save_screenshot(path)
