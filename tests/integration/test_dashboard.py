"""The dashboard, as a person has it: in a browser, of a migration that replicates, through a kill, with every table's name."""

import json
import os
import signal
from urllib.parse import urlsplit

import pytest
from support import http
from support.declared import view, wait_live, wait_view, yaml
from support.page import Page
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(240)

EVIL = "<img src=x onerror=alert(1)>"
SHOP = f"""
    CREATE TABLE orders (id bigserial PRIMARY KEY, what text);
    INSERT INTO orders (what) SELECT md5(g::text) FROM generate_series(1, 2000) g;
    CREATE TABLE "{EVIL}" (id int, what text);
    INSERT INTO "{EVIL}" SELECT g, 'x' FROM generate_series(1, 77) g;
"""


# A second migration, which copies slowly while the other tests run.
SHELVES = 15
STOCK = "".join(f"""
    CREATE TABLE shelf_{n} (id int PRIMARY KEY, what text);
    INSERT INTO shelf_{n} SELECT g, repeat(md5(g::text), 40) FROM generate_series(1, 1000) g;""" for n in range(SHELVES)) + """
    ANALYZE; CREATE ROLE loader; ALTER ROLE loader SET session_replication_role = 'replica'"""


class Site:
    """A machine that replicates a shop, and its page in the one browser of these tests."""

    def __init__(self, workshop, page):
        self.page, self.port = page, http.free_port()
        self.source, self.dest = workshop.server("source"), workshop.server("dest")
        for server in (self.source, self.dest):
            server.create_database("shop")
            server.create_database("stock")
        self.source.sql(SHOP, dbname="shop")
        self.source.sql(STOCK, dbname="stock")
        self.rate = "100kB"
        self.machine = workshop.machine()
        self.machine.write_pgpass(self.source, self.dest)
        self.configure()
        self.machine.start()

    def configure(self, more=""):
        stock = "".join(yaml(self.source, self.dest, "stock", "stock").splitlines(True)[2:]) + f"    copy: {{jobs: 1, max_rate: {self.rate}}}\n"
        self.machine.write_config(yaml(self.source, self.dest, "shop", extra=stock) + f"http: {{listen: '127.0.0.1:{self.port}'{more}}}\n")

    @property
    def url(self):
        return f"http://localhost:{self.port}/"

    def show(self):
        """The page, fresh, at the size of a desk, when it shows what the machine says."""
        self.page.size(1280)
        self.page.open(self.url)
        self.page.wait_text("The machine has been", "#main")
        return self.page


@pytest.fixture(name="page", scope="module")
def _page():
    page = Page()
    yield page
    page.close()


@pytest.fixture(name="site", scope="module")
def _site(shared_workshop, page):
    site = Site(shared_workshop, page)
    wait_live(site.machine)
    wait_for(lambda: view(site.machine)["not_in_step"], 60, "the table without a key is counted")
    return site


def test_it_says_how_it_stands_what_is_wrong_and_what_to_do(site):
    page = site.show()
    status = site.machine.status_json()
    assert f"The machine has been {status['state']}" in page.text(".headline h2")
    assert "app is live" in page.text(".sentences")
    assert [e.text for e in page.driver.find_elements("css selector", ".stop .name")][:6] == [
        "preflight", "schema", "capture", "copy", "index", "replicate"]
    assert "live" in page.text(".stop.here") and page.find(".stop.here").get_attribute("aria-current") == "step"
    for unit in status["units"]:
        assert unit["name"] in page.text(".machine")
    wait_for(lambda: "app: replicate begins" in page.text(".events").replace("\n", ": "), 10, "the events are there",
             explain=lambda: page.text(".events"))


def test_charts_have_data_a_name_and_no_complaint(site):
    page = site.show()
    points = "return import('/dashboard/charts.js').then(charts => charts.seenPoints(arguments[0]))"
    for chart in ("app/lag", "app/rows"):
        wait_for(lambda: page.run(points, chart) >= 3, 30, f"points of {chart}", explain=lambda: str(page.console()))
        drawn = page.run("const c = document.querySelector(`[data-chart='${arguments[0]}'] canvas`);"
                         "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)", chart)
        assert drawn, chart
    assert "Lag of app: now" in page.find("[data-chart='app/lag']").get_attribute("aria-label")
    page.find("[data-range='900']").click()
    assert page.find("[data-range='900']").get_attribute("aria-pressed") == "true"
    assert not [line for line in page.console() if "/api/v1/history" not in line]


def test_a_name_from_a_database_is_text_and_never_markup(site):
    page = site.show()
    page.wait_text(EVIL, ".migration")
    assert page.run("return document.querySelectorAll('main img').length") == 0
    assert not [line for line in page.console() if "/api/v1/history" not in line]


def test_it_updates_by_itself_and_leaves_focus_and_opened_parts_as_they_are(site):
    page = site.show()
    page.run("document.querySelector('.events .list').focus(); document.querySelector('details.more').open = true;"
             "window.kept = document.querySelector('.migration')")
    before = page.text("#fresh")
    site.machine.cli("pause", "app").check()
    try:
        page.wait_text("paused", ".stop.here", 15)
        page.wait_text("paused", ".headline")
    finally:
        site.machine.cli("resume", "app").check()
    page.wait_text("app is live", ".sentences", 60)
    assert page.text("#fresh") != before
    assert page.run("return document.activeElement === document.querySelector('.events .list')")
    assert page.run("return document.querySelector('details.more').open && window.kept.isConnected")


def test_it_asks_nobody_but_the_machine_and_weighs_little(site):
    page = site.page
    page.driver.get_log("performance")
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    site.show()
    messages = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    asked = {urlsplit(m["params"]["request"]["url"]).netloc for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert asked == {f"localhost:{site.port}"}
    weight = sum(m["params"]["encodedDataLength"] for m in messages if m["method"] == "Network.loadingFinished")
    painted = page.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"the page weighs {weight / 1000:.0f} kB with its first answers; first paint after {painted:.0f} ms")
    assert 5000 < weight <= 250_000 and painted <= 1000
    assert not page.driver.get_cookies()


def test_what_it_may_load_is_itself_and_an_etag_saves_the_rest(site):
    accepts = {"Accept-Encoding": "gzip"}
    main = http.ask(site.port, "/", headers=accepts)
    assert main.status == 200 and main.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = main.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
    again = http.ask(site.port, "/", headers={**accepts, "If-None-Match": main.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert http.ask(site.port, "/").status == 406 and http.ask(site.port, "/dashboard/nothing.js", headers=accepts).status == 404
    for host in ("evil.example.com", "localhost.evil.example.com"):
        assert http.ask(site.port, "/", headers={**accepts, "Host": host}).status == 403
    page = site.show()
    page.run("const s = document.createElement('script'); s.textContent = 'window.pwned = 1'; document.body.append(s)")
    assert page.run("return window.pwned") is None
    assert "Content Security Policy" in " ".join(page.console())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(site, scheme):
    page = site.page
    page.colours(scheme)
    site.show()
    assert page.complaints() == []
    seen = page.run("return getComputedStyle(document.body.parentElement).backgroundColor")
    assert (seen == "rgb(16, 21, 28)") == (scheme == "dark")
    page.colours("light")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(site):
    page = site.show()
    reached = set()
    for _ in range(10):
        page.driver.switch_to.active_element.send_keys("\ue004")
        reached.add(page.run("return document.activeElement.outerHTML.slice(0, 60)"))
        assert page.run("if (document.activeElement === document.body) return true;"
                        "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2")
    assert len(reached) >= 6


@pytest.mark.parametrize("width", [360, 768, 3840])
def test_it_fits_a_phone_and_a_wall(site, width):
    page = site.show()
    page.size(width)
    wait_for(lambda: page.run("return innerWidth") == width, 5, "the size is taken")
    assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.complaints() == []
    page.size(1280)


def test_it_says_that_nobody_answers_and_goes_on_with_the_next_pod(site):
    page = site.show()
    os.kill(site.machine.pid(), signal.SIGSTOP)
    try:
        page.wait_text("The daemon does not answer", "#banner")
    finally:
        os.kill(site.machine.pid(), signal.SIGCONT)
    wait_for(lambda: not page.text("#banner").strip(), 20, "it answers again")
    began = site.machine.status_json()["started_at"]
    site.machine.kill9()
    page.wait_text("No answer since", "#banner")
    first = page.text("#banner")
    wait_for(lambda: page.text("#banner") != first, 10, "the age grows")
    assert "old" in page.text("#fresh") and page.run("return document.body.classList.contains('stale')")
    assert "no answer" in page.driver.title
    site.machine.fresh_runtime()
    site.machine.start()
    wait_for(lambda: not page.text("#banner").strip(), 40, "it answers again", explain=page.text)
    page.wait_text("app is live", ".sentences", 60)
    assert site.machine.status_json()["started_at"] != began
    page.console()


def test_a_token_is_asked_for_kept_in_this_tab_and_sent_in_a_header(site):
    file = os.path.join(site.machine.folder, "token")
    with open(file, "w", encoding="ascii") as out:
        out.write("sesame-4711\n")
    site.configure(f", token_file: {file}")
    wait_for(lambda: http.ask(site.port, "/api/v1/status").status == 401, 20, "the token is wanted")
    page = site.page
    page.open(site.url)
    page.wait_text("asks for its token")
    page.find("#token-text").send_keys("wrong\n")
    page.wait_text("refused this token", "#token-error")
    page.find("#token-text").send_keys("sesame-4711\n")
    page.wait_text("The machine has been", "#main")
    assert not page.find("#token").is_displayed()
    assert "sesame" not in page.run("return JSON.stringify(localStorage) + document.cookie + location.href + document.body.innerHTML")
    page.driver.refresh()
    page.wait_text("The machine has been", "#main")
    page.run("sessionStorage.clear()")
    site.configure()
    page.console()


def lights(page):
    """Of the last attempt: how each condition was."""
    return page.run("return [...document.querySelectorAll('#m-stock .ready h4')].filter(e => e.textContent === 'What it found then')"
                    ".flatMap(e => [...e.nextElementSibling.children]).map(e => [e.querySelector('b').textContent, e.className.split(' ')[1]])")


def test_a_copy_its_estimates_the_lights_and_the_findings_are_there_as_they_come(site):
    wait_for(lambda: http.ask(site.port, "/api/v1/status").status == 200, 20, "no token is asked for any more")
    page, machine = site.show(), site.machine
    copying = wait_view(machine, lambda v: v["phase"] == "copy" and v["progress"]["in_flight"], "it copies", name="stock")
    page.wait_text("under way", "#m-stock .progress .heat")
    page.wait_text("public.shelf_", "#m-stock .parts")
    total = copying["progress"]["pieces_total"]
    assert len(page.driver.find_elements("css selector", "#m-stock .progress .cell[title]")) == total >= SHELVES
    page.wait_text("what was said before", "#m-stock .estimates", 60)
    said = page.text("#m-stock .estimates li")
    assert "ago: " in said and ("too early" in said or "too late" in said or "as now" in said), said
    site.rate = "none"
    site.configure()
    wait_live(machine, name="stock")
    page.wait_text("stock is live", ".sentences")
    result = machine.cli("cutover", "stock", "--rehearse", seconds=60)
    found = {c["name"]: c["state"] for c in view(machine, "stock")["cutover"]["result"]["conditions"]}
    wait_for(lambda: lights(page), 20, "the lights are there", explain=lambda: page.text("#m-stock"))
    tones = {"ready": "good", "accepted": "busy", "not_ready": "bad", "unknown": "busy"}
    assert dict(lights(page)) == {name: tones[state] for name, state in found.items()}, result.output
    assert {"good", "bad"} <= set(dict(lights(page)).values()), found
    wait_view(machine, lambda v: v["doctor"], "the doctor has looked", name="stock")
    page.wait_text("role loader", "#m-stock .doctor")
    statement = page.find("#m-stock .doctor button.copy").get_attribute("data-text")
    assert statement.startswith("ALTER ROLE loader RESET session_replication_role"), statement
    wait_view(machine, lambda v: (v["reconcile"] or {}).get("largest"), "the sizes are known", name="stock")
    page.wait_text(f"All {SHELVES} captured tables", "#m-stock")
    page.run("document.querySelector(\"#m-stock [data-key='largest']\").open = true")
    assert page.text("[data-key='public.shelf_0']").count("MB") == 2, page.text("[data-key='public.shelf_0']")
    assert page.complaints() == [] and not [line for line in page.console() if "/api/v1/history" not in line]
