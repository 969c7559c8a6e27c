"""The history that `worker http` keeps in the control database: bounded, truthful, and after each outage again there."""

import json
import os
import signal
import subprocess
import time

import pytest
from support import http
from support.users import give
from support.waiting import wait_for

COLUMNS = ["time", "lag_seconds", "backlog_rows", "applied_rows", "copied_bytes", "verified_percent", "differences", "load"]
KINDS = {"start", "recovery", "pause", "resume", "phase", "cutover", "failback", "config"}


class Site:
    """A machine with http."""

    def __init__(self, machine, extra=""):
        self.machine, self.port = machine, http.free_port()
        machine.write_config(f"version: 1\nhttp:\n  listen: 127.0.0.1:{self.port}\n{extra}")

    def ask(self, query="", **options):
        return http.ask(self.port, f"/api/v1/history{query}", **options)

    def page(self, query=""):
        try:
            answer = self.ask(query)
        except OSError:
            return None  # it is being started
        return json.loads(answer.text) if answer.status == 200 else None

    def rows(self, query=""):
        page = self.page(query)
        return page["rows"] if page else []

    def sql(self, text):
        return self.machine.shell(f'psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo -c "{text}"').check().strip()


@pytest.fixture(name="site", scope="module")
def _site(shared_workshop):
    machine = shared_workshop.machine()
    machine.write_pgpass(text="")
    site = Site(machine)
    machine.start()
    machine.wait_ready(60)
    wait_for(site.rows, 40, "a first row", explain=machine.log_tail)
    return site


def test_a_row_each_ten_seconds_with_what_is_known(site):
    page = site.page()
    assert page["migration"] is None and page["columns"] == COLUMNS and page["step"] == 10
    assert abs(page["to"] - time.time()) < 5 and page["from"] == page["to"] - 3600
    row = dict(zip(page["columns"], page["rows"][-1]))
    assert row["time"] % 10 == 0 and abs(row["time"] - time.time()) < 25
    assert row["lag_seconds"] is None and row["backlog_rows"] is None, "there is no migration"
    assert page["marks"][0]["kind"] == "start" and page["marks"][0]["text"].startswith("bucardo-machine ")
    assert {mark["kind"] for mark in page["marks"]} <= KINDS
    assert page["eta"] == []


def test_what_is_asked_wrongly_or_was_never_there_is_said(site):
    for query in ("?from=x", "?to=-1", "?from=20&to=10", "?from=99999999999999999", "?migration=" + "x" * 200):
        assert site.ask(query).status == 400, query
    answer = site.ask("?migration=none")
    assert answer.status == 404 and "nothing was ever kept" in answer.text
    assert site.ask(headers={"Host": "evil.example.com"}).status == 403


def fill(site):
    """A day of rows of 10 s, and 60 days of 5 minutes, of another migration, up to now."""
    now = int(time.time())
    for step, places in ((10, 8640), (300, 17280)):
        site.sql(f"INSERT INTO machine.history (migration, step, slot, at, lag, backlog) SELECT 'full', {step}, "
                 f"(t / {step} % {places})::int, t - t % {step}, 1 + (t / {step} % 7), 5 "
                 f"FROM generate_series({now} - {places - 1} * {step}::bigint, {now}, {step}) t")
    return now


def test_a_full_ring_is_thinned_and_the_worst_stays(site):
    now = fill(site)
    assert int(site.sql("SELECT count(*) FROM machine.history WHERE migration = 'full'")) == 8640 + 17280
    for span, step, worst in ((3600, 10, 1), (86400, 50, 5), (7 * 86400, 600, 2), (60 * 86400, 2700, 7)):
        page = site.page(f"?migration=full&from={now - span}&to={now}")
        assert page["step"] == step, span
        assert len(page["rows"]) <= 2000 and len(page["rows"]) >= span // step - 2
        times = [row[0] for row in page["rows"]]
        assert times == sorted(times) and times[0] >= now - span - step and times[-1] <= now
        assert min(row[1] for row in page["rows"][1:-1]) == worst, "the worst of several"
    answer = site.ask(f"?migration=full&from={now - 86400}", headers={"Accept-Encoding": "gzip"})
    assert answer.seconds < 1 and answer.headers["Content-Encoding"] == "gzip"


def count(site):
    return int(site.sql("SELECT count(*) FROM machine.history WHERE migration = '' AND step = 10"))


def stop_postgres(site):
    pid = site.machine.unit("postgres")["pid"]
    os.kill(pid, signal.SIGKILL)
    return pid


def test_it_goes_on_after_the_control_database_was_away_and_after_a_kill(site):
    before = count(site)
    old = stop_postgres(site)
    wait_for(lambda: site.machine.unit("postgres")["pid"] not in (None, old), 40, "another postmaster")
    site.machine.wait_ready(60)
    wait_for(lambda: count(site) > before, 40, "rows after it", explain=site.machine.log_tail)
    pid, before = site.machine.unit("http")["pid"], count(site)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.machine.unit("http")["pid"] not in (None, pid), 20, "another worker")
    wait_for(lambda: count(site) > before, 60, "rows after a kill", explain=site.machine.log_tail)


@pytest.mark.full
def test_rows_of_a_clock_that_had_jumped_are_not_shown_and_their_places_are_taken(site):
    site.sql("INSERT INTO machine.history (migration, step, slot, at, lag) SELECT '', 10, s, 4000000000 + s * 10, 9 "
             "FROM generate_series(0, 8639) s ON CONFLICT (migration, step, slot) DO UPDATE SET at = excluded.at, lag = 9")
    assert not site.rows(), "what is to come is not told"
    wait_for(site.rows, 30, "rows of now take the places", explain=site.machine.log_tail)
    assert all(row[1] != 9 for row in site.rows())
    site.sql("DELETE FROM machine.history WHERE at > 3000000000")


@pytest.mark.full
def test_rows_that_cannot_be_written_wait_and_come(site):
    began = int(time.time())
    site.machine.shell("psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo -c "
                       "'BEGIN; LOCK TABLE machine.history; SELECT pg_sleep(35)'", seconds=60).check()
    rows = wait_for(lambda: (lambda r: r if len(r) >= 4 else None)(site.rows(f"?from={began}")), 40, "all of them come")
    assert max(b[0] - a[0] for a, b in zip(rows, rows[1:])) <= 20, rows
    assert "the history cannot be written" in site.machine.log() and "is written again" in site.machine.log()


@pytest.mark.full
def test_it_goes_on_after_a_full_disk(workshop):
    machine = workshop.machine()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "bm", machine.volume], check=True)
    try:
        give(machine.volume)
        machine.write_pgpass(text="")
        site = Site(machine)
        machine.start()
        machine.wait_ready(60)
        wait_for(site.rows, 40, "a first row")
        subprocess.run(["dd", "if=/dev/zero", f"of={machine.volume}/filler", "bs=1M"], check=False, capture_output=True)
        time.sleep(25)
        os.unlink(os.path.join(machine.volume, "filler"))
        machine.wait_ready(120)
        now = int(time.time())
        wait_for(lambda: site.rows(f"?from={now}"), 60, "rows after it", explain=machine.log_tail)
    finally:
        machine.kill9_everything()
        subprocess.run(["umount", "-l", machine.volume], check=True)


@pytest.mark.full
def test_a_table_that_is_gone_is_made_again(site):
    site.sql("DROP TABLE machine.history")
    wait_for(site.rows, 40, "rows in a new table", explain=site.machine.log_tail)


def test_one_of_a_later_version_is_left_alone(site):
    site.sql("UPDATE machine.history_version SET version = 99")
    pid = site.machine.unit("http")["pid"]
    os.kill(pid, signal.SIGKILL)
    try:
        answer = wait_for(lambda: (lambda a: a if a and a.status == 503 else None)(try_ask(site)), 30, "it says so")
        assert "version 99" in answer.text and "up to 1" in answer.text
        assert site.machine.is_ready(), "nothing else waits for it"
    finally:
        site.sql("UPDATE machine.history_version SET version = 1")
    wait_for(site.rows, 30, "it goes on")


def try_ask(site):
    try:
        return site.ask()
    except OSError:
        return None
