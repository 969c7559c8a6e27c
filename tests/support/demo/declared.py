"""The declared way: one YAML, a kill in the copy, live replication, the proof, the cut-over and back."""

import time

import psycopg2

from support import compare
from support.traffic import marker
from support.waiting import Abandon, wait_for

from .show import RATE, Show, good, paint, say, title, typed

YAML = """\
version: 1
migrations:
  - name: app
    source:      {{host: {source.address}, port: {source.port}, dbname: {dbname}, \
user: {source.user}, sslmode: require}}
    destination: {{host: {dest.address}, port: {dest.port}, dbname: {dbname}, \
user: {dest.user}, sslmode: require}}
    copy: {{jobs: 2, max_rate: 40MB}}
"""


class Declared(Show):
    """A person writes one file and watches."""

    sync = "app_sync"
    # Enough for the copy to be seen, and to be killed in its middle.
    years, rows_a_year = range(2019, 2025), 150000

    def acts(self):
        self.servers()
        self.declare()
        self.watch_copy()
        self.crash()
        self.resume()
        self.live(6)
        self.status()
        self.fence()
        self.prove()
        self.cut_over()
        self.compare()

    def fill(self):
        for year in self.years:
            self.source.sql(
                f"CREATE TABLE archive_{year} (id bigint PRIMARY KEY, at timestamptz, who text, "
                f"what jsonb); INSERT INTO archive_{year} SELECT i, timestamptz '{year}-01-01' + "
                "i * interval '3 min', md5(i::text), jsonb_build_object('n', i, 'text', "
                f"repeat(md5((i * 7)::text), 4)) FROM generate_series(1, {self.rows_a_year}) i; "
                f"CREATE INDEX ON archive_{year} (who)", dbname=self.dbname)

    def declare(self):
        title("What a person writes: one file on the volume, and the passwords in pgpass")
        self.machine.write_pgpass(self.source, self.dest)
        text = YAML.format(source=self.source, dest=self.dest, dbname=self.dbname)
        self.machine.write_config(text)
        typed("cat machine.yaml")
        say(text.rstrip())
        title("The machine starts on an empty volume and does the rest")
        self.run_machine()

    # ---- watching ----

    def view(self):
        try:
            found = self.machine.status_json()["migrations"]
        except AssertionError:
            return None  # it is starting
        return found[0] if found else None

    def watch(self, reached, seconds):
        """Say each change of the migration until `reached(view)`; returns the view."""
        said = None

        def look():
            nonlocal said
            if not self.machine.running():
                raise Abandon(f"the machine ended with exit code {self.machine.exit_code()}")
            view = self.view()
            if view is None:
                return None
            line = line_of(view)
            if line != said:
                say("  " + line)
                said = line
            return view if reached(view) else None

        return wait_for(look, seconds, "the migration goes on", every=0.5,
                        explain=self.machine.log_tail)

    def watch_copy(self):
        # Far enough that something is finished, so that the resume has something to spare.
        self.watch(lambda v: v["phase"] == "copy" and (v["progress"]["percent"] or 0) >= 20
                   and self.finished_chunks() > 0, 120)
        self.status()

    def finished_chunks(self):
        return self.dest.value("SELECT count(*) FROM bucardo_machine.chunk WHERE done IS NOT NULL",
                               dbname=self.dbname)

    def crash(self):
        super().crash()
        say(f"{self.finished_chunks()} chunks of rows are on the destination, each written down "
            "there in the transaction that brought it.")

    def resume(self):
        title("A new machine on the same volume, as Kubernetes would start one")
        finished = self.finished_chunks()
        began = time.monotonic()
        self.run_machine()
        view = self.watch(lambda v: v["status"] == "live", 180)
        reused = _evidence(view, "copy")["reused_chunks"]
        assert reused >= finished, f"{finished} chunks were finished, {reused} were not copied again"
        good(f"Live {time.monotonic() - began:.0f} s after the start, and nobody typed anything. "
             f"{reused} finished chunks were not copied again.")

    # ---- the end ----

    def fence(self):
        title("A stray write on the destination, before the cut-over")
        stray = f"DELETE FROM archive_{self.years[0]} WHERE id = 1"
        typed(f"psql destination -c '{stray}'")
        try:
            self.dest.sql(stray, dbname=self.dbname)
        except psycopg2.Error as error:
            say(f"  {str(error).strip()}")
        else:
            raise AssertionError("the destination took a write before the cut-over")

    def prove(self):
        title("The proof, while applications write")
        # What is under way at the end is neither proven nor different.
        self.command("verify", "app", codes=(0, 4))
    def command(self, *words, codes=(0,)):
        typed("bucardo-machine " + " ".join(words))
        done = self.machine.cli(*words, seconds=120)
        say("\n".join("  " + line for line in done.output.rstrip().splitlines()))
        assert done.code in codes, f"it ended with exit code {done.code}"
        return done

    def cut_over(self):
        title("The cut-over: is all ready, how long would it take, then for real; the application goes on")
        self.ready("cutover")
        self.command("cutover", "app", "--rehearse")
        self.change("cutover", self.dest)
        title("And back again: the same command, mirrored")
        self.ready("failback")
        self.change("failback", self.source)

    def ready(self, word):
        """It says no while the sequences of the side that follows are behind, for some seconds."""
        said = []

        def is_ready():
            said[:] = [self.machine.cli(word, "app", "--check", seconds=60)]
            return said[0].code == 0
        wait_for(is_ready, 90, f"ready for {word}", every=1, explain=lambda: said and said[0].output)
        self.command(word, "app", "--check")

    def change(self, word, live):
        self.command(word, "app", "--yes")
        refused = self.traffic.counts["error"]
        self.traffic.wait_total(RATE)
        other = self.source if live is self.dest else self.dest
        took = marker(live, other, self.dbname, self.dbname, 60)
        good(f"Applications write to the {live.name} now ({refused} transactions were refused and tried again there); "
             f"a row of theirs is on the {other.name} after {took:.2f} s.")

    def compare(self):
        title("By other means, once the application has stopped")
        self.stop_traffic()
        marker(self.source, self.dest, self.dbname, self.dbname, 60)
        compare.wait_equal(self.source, self.dest, self.dbname, 60, sequences="ahead")
        good(f"All {compare.row_count(self.dest, self.dbname)} rows of all tables are equal on "
             "both servers, and no sequence of the destination is behind its source.")


def _evidence(view, phase):
    return next(p["evidence"] for p in view["phases"] if p["phase"] == phase)


def line_of(view):
    progress, percent = view["progress"], view["progress"]["percent"]
    is_live = view["status"] == "live"
    # No phase: a machine that starts has not read it yet.
    parts = ["live" if is_live else f"{view['phase'] or '-':9} {view['status'] or '-':8}"]
    if view["status"] == "running" and percent is not None:
        parts.append(f"{paint('1', f'{percent:3} %')} {progress['text']}")
    if view["why"]:
        parts.append(view["why"])
    return "  ".join(parts)
