"""The show of scripts/demo: the README flow typed visibly, a crash, the resume, the proof."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import compare, readme_flow, samples  # noqa: E402
from support.machine import Machine  # noqa: E402
from support.servers import Server  # noqa: E402
from support.traffic import Traffic, marker  # noqa: E402
from support.waiting import wait_for  # noqa: E402

TTY = sys.stdout.isatty()
RATE = 60  # transactions a second on the source


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if TTY else text


def title(text):
    print("\n" + paint("1;36", f"== {text}"), flush=True)


def say(text):
    print(text, flush=True)


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
    """Everything of one demo, in one temporary folder."""

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

    # ---- the acts ----

    def servers(self):
        title(f"Two PostgreSQL servers: the source with '{self.dbname}', an empty destination")
        self.source = Server("source", self.folder).start()
        self.source.create_database(self.dbname, self.dbname)
        self.dest = Server("destination", self.folder).start()
        self.dest.create_database(self.dbname)
        rows = compare.row_count(self.source, self.dbname)
        say(f"source      port {self.source.port}: {rows} rows\n"
            f"destination port {self.dest.port}: empty")
        self.traffic = Traffic(self.source, self.dbname, rate=RATE).start()
        say(f"An application begins to write to the source, about {RATE} transactions a second, "
            "and does not stop for us.")

    def start_machine(self):
        title("The machine starts on an empty volume")
        self.machine.write_pgpass(self.source, self.dest)
        say(f"$ bucardo-machine run --volume {self.machine.volume} "
            f"--runtime {self.machine.runtime}")
        began = time.monotonic()
        self.machine.start("--log-format", "text")
        self.machine.wait_ready(90)
        self.show_log()
        say(f"Ready after {time.monotonic() - began:.1f} s: PostgreSQL made, "
            "Bucardo installed and running.")

    def show_log(self, since=0, lines=14):
        """The end of the machine's log: its own words, without what PostgreSQL and Bucardo say."""
        own = [line for line in self.machine.log()[since:].splitlines()
               if line.split()[2:3] not in ([], ["output"])]
        for line in own[-lines:]:
            say(paint("2", "  | " + line[11:160]))

    def flow(self):
        title("What a person types in the pod, word for word as in the original's README")
        env = readme_flow.environment(self.source, self.dest, self.dbname)
        for name, script in readme_flow.STEPS:
            say(paint("1", f"\n# {name}"))
            typed(script)
            output = readme_flow.type_step(self.machine, script, env).check()
            for line in output.splitlines()[-4:]:
                say("  " + line[:150])

    def live(self, seconds):
        """Watch source, destination and the machine's own words for a while."""
        title("Live: the source is written to, the destination follows")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.live_line()
            time.sleep(1)

    def live_line(self):
        took = marker(self.source, self.dest, self.dbname, self.dbname, 60)
        sync = self.machine.sync()
        rows = [compare.row_count(server, self.dbname) for server in (self.source, self.dest)]
        say(f"  transactions {self.traffic.total():>6}   rows {rows[0]:>7} -> {rows[1]:>7}   "
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
        say(f"{self.traffic.total() - before} transactions that the destination has not seen.")

    def resume(self):
        title("A new machine on the same volume, as Kubernetes would start one")
        since, began = self.machine.log_size(), time.monotonic()
        self.machine.start("--log-format", "text")
        marker(self.source, self.dest, self.dbname, self.dbname, 60)
        took = time.monotonic() - began
        self.show_log(since)
        say(paint("1;32", f"Replicating again {took:.1f} s after the start, "
                  "and nobody typed anything."))

    def back(self):
        title("The way back: a row written on the destination")
        took = marker(self.dest, self.source, self.dbname, self.dbname, 60)
        say(f"It is on the source after {took:.2f} s: both databases are sources.")

    def prove(self):
        title("The proof")
        counts = self.traffic.stop()
        self.traffic = None
        say(f"The application stops after {counts.get('insert', 0)} inserting, "
            f"{counts.get('update', 0)} updating and {counts.get('delete', 0)} deleting "
            "transactions.")
        compare.wait_equal(self.source, self.dest, self.dbname, 60)
        say(paint("1;32", f"All {compare.row_count(self.dest, self.dbname)} rows of all tables "
                  "and all sequences are equal on both servers."))

    def stay(self):
        title("It is yours until Ctrl-C")
        self.traffic = Traffic(self.source, self.dbname, rate=RATE).start()
        path = os.path.join(self.folder, "shell")
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.machine.shell_script())
        os.chmod(path, 0o755)
        say(f"A shell like the one in the pod, from another terminal:  {path}")
        while True:
            self.live_line()
            time.sleep(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="bm-demo-", dir="/tmp")
    os.chmod(folder, 0o755)
    repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    built = os.environ.get("BM_BINARY") or os.path.join(repository, "build", "bucardo-machine")
    binary = shutil.copy(built, os.path.join(folder, "bucardo-machine"))
    show, code = Show(folder, binary), 1
    try:
        show.servers()
        show.start_machine()
        show.flow()
        show.live(6)
        show.status()
        show.crash()
        show.resume()
        show.live(4)
        show.back()
        show.prove()
        code = 0
        if not once:
            show.stay()
    except KeyboardInterrupt:
        pass
    except AssertionError as error:
        say(paint("1;31", f"\nThe demo failed: {error}") + "\n" + show.machine.log_tail())
    finally:
        say("\nCleaning up.")
        show.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
