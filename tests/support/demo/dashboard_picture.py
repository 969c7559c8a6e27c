"""docs/dashboard.png: the dashboard of a live migration that was paused for a moment, in a browser."""

import os
import time

from support import http
from support.page import Page
from support.samples import REPOSITORY

from .declared import YAML, Declared
from .show import say

FILE = os.path.join(REPOSITORY, "docs", "dashboard.png")
LIVE_SECONDS, PAUSED_SECONDS = 45, 20


class DashboardPicture(Declared):
    """A copy, some minutes of writes, a pause, and the page that tells of them."""

    years, rows_a_year = range(2019, 2022), 50000

    def declare(self):
        self.port = http.free_port()
        self.machine.write_pgpass(self.source, self.dest)
        self.machine.write_config(YAML.format(source=self.source, dest=self.dest, dbname=self.dbname)
                                  + f"http: {{listen: '127.0.0.1:{self.port}'}}\n")
        self.run_machine()

    def acts(self):
        self.servers()
        self.declare()
        self.watch(lambda view: view["status"] == "live", 180)
        time.sleep(LIVE_SECONDS)  # of history, for the charts
        self.machine.cli("pause", "app").check()
        time.sleep(PAUSED_SECONDS)
        self.machine.cli("resume", "app").check()
        self.watch(lambda view: view["status"] == "live" and (view["verify"] or {}).get("percent") == 100, 180)
        time.sleep(LIVE_SECONDS)
        self.photograph()
        say(f"{os.path.relpath(FILE, REPOSITORY)} is written.")

    def photograph(self):
        page = Page()
        try:
            page.size(1280, 1330)
            page.open(f"http://localhost:{self.port}/")
            page.wait_text("The machine has been", "#main")
            page.find("[data-range='900']").click()
            time.sleep(3)  # the history of that range
            page.picture(FILE)
        finally:
            page.close()
