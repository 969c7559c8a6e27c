"""What both demos share: how things are said, the two servers, the machine, a crash."""

import os
import shutil
import sys
import time

from support import compare, samples
from support.machine import Machine
from support.servers import Server
from support.traffic import Traffic, marker
from support.waiting import wait_for

TTY = sys.stdout.isatty()
RATE = 60  # transactions a second on the source


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if TTY else text


def title(text):
    print("\n" + paint("1;36", f"== {text}"), flush=True)


def say(text):
    print(text, flush=True)


def good(text):
    say(paint("1;32", text))


def typed(script):
    """Show a script as if somebody typed it."""
    for number, line in enumerate(script.splitlines()):
        sys.stdout.write(paint("1;32", "> " if number else "\n$ "))
        for letter in line:
            sys.stdout.write(letter)
            if TTY:
                sys.stdout.flush()
                time.sleep(0.004)
        print(flush=True)


class Show:
    """One demo, in one temporary folder. A subclass has acts(), which proves all it claims."""

    sync = "MyDBSync"

    def __init__(self, folder, binary):
        self.folder, self.dbname = folder, samples.best()
        self.source = self.dest = self.traffic = None
        self.machine = Machine(folder, binary, mode="pod" if os.getuid() == 0 else "plain")

    def close(self):
        for stop in (self.traffic and self.traffic.stop, self.machine.remove,
                     self.source and self.source.remove, self.dest and self.dest.remove):
            if stop:
                stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self):
        """More data on the source, before the application begins."""

    def servers(self):
        title(f"Two PostgreSQL servers: the source with '{self.dbname}', an empty destination")
        self.source = Server("source", self.folder).start()
        self.source.create_database(self.dbname, self.dbname)
        self.fill()
        # As of a database that has been in use: who comes back wants plans that are no guesses.
        self.source.sql("ANALYZE", dbname=self.dbname)
        self.dest = Server("destination", self.folder).start()
        self.dest.create_database(self.dbname)
        rows = compare.row_count(self.source, self.dbname)
        size = self.source.value("SELECT pg_size_pretty(pg_database_size(current_database()))",
                                 dbname=self.dbname)
        say(f"source      port {self.source.port}: {rows} rows, {size}\n"
            f"destination port {self.dest.port}: empty")
        self.write()
        say(f"An application begins to write to the source, about {RATE} transactions a second, "
            "and does not stop for us.")

    def write(self):
        self.traffic = Traffic(self.source, self.dbname, rate=RATE, other=self.dest).start()

    def run_machine(self):
        """Start it; returns where its log was."""
        since = self.machine.log_size() if os.path.exists(self.machine.log_path) else 0
        say(f"$ bucardo-machine run --volume {self.machine.volume} "
            f"--runtime {self.machine.runtime}")
        self.machine.start("--log-format", "text")
        return since

    def show_log(self, since=0, lines=14):
        """The end of the machine's log: its own words, without what PostgreSQL and Bucardo say."""
        own = [line for line in self.machine.log()[since:].splitlines()
               if line.split()[2:3] not in ([], ["output"])]
        for line in own[-lines:]:
            say(paint("2", "  | " + line[11:160]))

    def live(self, seconds):
        """Watch source, destination and the machine's own words for a while."""
        title("Live: the source is written to, the destination follows")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.live_line()
            time.sleep(1)

    def live_line(self):
        took = marker(self.source, self.dest, self.dbname, self.dbname, 60)
        sync = self.machine.sync(self.sync)
        # The one that follows is counted first: it would else seem to be ahead.
        there, here = (compare.row_count(server, self.dbname) for server in (self.dest, self.source))
        say(f"  transactions {self.traffic.total():>6}   rows {here:>7} -> {there:>7}   "
            f"a new row needs {took:4.2f} s   sync is {sync['health']}")

    def status(self):
        typed("bucardo-machine status")
        say(self.machine.cli("status").output.rstrip())

    def crash(self):
        title("kill -9: the machine, its PostgreSQL and all of Bucardo die at one instant")
        before = self.traffic.total()
        self.machine.kill9_everything()
        wait_for(lambda: not self.machine.leftovers(), 10, "everything is dead")
        self.machine.fresh_runtime()
        say("Dead. The application goes on writing ...")
        self.traffic.wait_total(2 * RATE)
        say(f"{self.traffic.total() - before} transactions that the machine has not seen.")

    def stop_traffic(self):
        counts = self.traffic.stop()
        self.traffic = None
        say(f"The application stops after {counts.get('insert', 0)} inserting, "
            f"{counts.get('update', 0)} updating and {counts.get('delete', 0)} deleting "
            "transactions.")

    def offer(self):
        """What can be typed from another terminal."""
        path = os.path.join(self.folder, "shell")
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.machine.shell_script())
        os.chmod(path, 0o755)
        say(f"  {path} -c 'bucardo-machine status'\n"
            f"  {path}     a shell like the one in the pod")

    def stay(self):
        title("It is yours until Ctrl-C. From another terminal:")
        self.write()
        self.offer()
        while True:
            self.live_line()
            time.sleep(2)
