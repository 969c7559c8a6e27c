"""docs/proof.png: the report of `verify --report`, of a live migration in which two rows were lost, in a browser."""

import os

from support.browser import photograph
from support.samples import REPOSITORY
from support.waiting import wait_for

from .declared import Declared
from .show import say

FILE = os.path.join(REPOSITORY, "docs", "proof.png")
LOST = ("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
        "DELETE FROM archive_2019 WHERE id = 4711; UPDATE archive_2020 SET who = upper(who) WHERE id = 815")


class ReportPicture(Declared):
    """A copy, two rows that nobody sees go, and the page for an auditor."""

    years, rows_a_year = range(2019, 2022), 50000

    def acts(self):
        self.servers()
        self.declare()
        self.watch(lambda view: view["status"] == "live", 180)
        self.dest.sql(LOST, dbname=self.dbname)
        page = os.path.join(self.machine.home, "proof.html")

        def proven():
            done = self.machine.cli("verify", "app", "--show-values", "--wait", "5", "--report", page, seconds=120)
            return done.code == 5 and "in_flight" not in done.output
        wait_for(proven, 120, "two rows differ, and nothing is under way")
        photograph(page, FILE, 1180, 1500)
        say(f"{os.path.relpath(FILE, REPOSITORY)} is written.")
