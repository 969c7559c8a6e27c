"""The manual way: the README flow of the original typed visibly, a crash, the resume, the proof."""

import time

from support import compare, readme_flow
from support.traffic import marker

from .show import Show, good, paint, say, title, typed


class Manual(Show):
    """A person types what the original's README says."""

    def acts(self):
        self.servers()
        self.start_machine()
        self.flow()
        self.live(6)
        self.status()
        self.crash()
        self.resume()
        self.live(4)
        self.back()
        self.prove()

    def start_machine(self):
        title("The machine starts on an empty volume")
        self.machine.write_pgpass(self.source, self.dest)
        began = time.monotonic()
        self.run_machine()
        self.machine.wait_ready(90)
        self.show_log()
        say(f"Ready after {time.monotonic() - began:.1f} s: PostgreSQL made, "
            "Bucardo installed and running.")

    def flow(self):
        title("What a person types in the pod, word for word as in the original's README")
        env = readme_flow.environment(self.source, self.dest, self.dbname)
        for name, script in readme_flow.STEPS:
            say(paint("1", f"\n# {name}"))
            typed(script)
            output = readme_flow.type_step(self.machine, script, env).check()
            for line in output.splitlines()[-4:]:
                say("  " + line[:150])

    def resume(self):
        title("A new machine on the same volume, as Kubernetes would start one")
        began = time.monotonic()
        since = self.run_machine()
        marker(self.source, self.dest, self.dbname, self.dbname, 60)
        took = time.monotonic() - began
        self.show_log(since)
        good(f"Replicating again {took:.1f} s after the start, and nobody typed anything.")

    def back(self):
        title("The way back: a row written on the destination")
        took = marker(self.dest, self.source, self.dbname, self.dbname, 60)
        say(f"It is on the source after {took:.2f} s: both databases are sources.")

    def prove(self):
        title("The proof")
        self.stop_traffic()
        compare.wait_equal(self.source, self.dest, self.dbname, 60)
        good(f"All {compare.row_count(self.dest, self.dbname)} rows of all tables "
             "and all sequences are equal on both servers.")
