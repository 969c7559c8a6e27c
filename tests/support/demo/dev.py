"""A machine on two throw-away servers to play with: it stays, and starts again when it was killed."""

import time

from .declared import Declared, line_of
from .show import say, title


class Dev(Declared):
    """Little data, writes that do not stop, and the commands that can be typed beside it."""

    years, rows_a_year = range(2023, 2025), 20000

    def acts(self):
        self.servers()
        self.declare()
        self.watch(lambda view: view["status"] == "live", 180)

    def offer(self):
        super().offer()
        say("""\
        bucardo-machine status --watch
        bucardo-machine plan app
        bucardo-machine verify app
        bucardo-machine events --since 1h
        bucardo-machine pause app
        bucardo-machine resume app
        bucardo-machine help
        bucardo list all""")
        for server in (self.source, self.dest):
            say(f"  psql -h {server.folder} -p {server.port} -U {server.user} {self.dbname}")
        say(f"""\
        SELECT bucardo_machine.lift_fence()     there, on the destination: the cut-over
  kill -9 {self.machine.pid()}     the machine and all below it; it starts again on its volume
  {self.machine.volume}/machine.yaml     is read again when it is saved
  {self.machine.log_path}     its log
""")

    def stay(self):
        """Tell each change of the migration, until Ctrl-C."""
        title("It is yours until Ctrl-C, and written to. From another terminal:")
        self.offer()
        said = None
        while True:
            if not self.machine.running():
                self.start_again()
            view = self.view()
            line = line_of(view) if view else "no migration, or the machine is starting"
            if line != said:
                say(f"{time.strftime('%H:%M:%S')}  {line}")
                said = line
            time.sleep(1)

    def start_again(self):
        say(f"The machine ended with exit code {self.machine.exit_code()}. As Kubernetes would:")
        self.machine.fresh_runtime()
        self.run_machine()
        self.offer()
