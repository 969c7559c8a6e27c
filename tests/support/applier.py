"""`worker apply`: passes of the machine's own applier, beside a machine whose sync is paused.

    applier = Applier(machine, source, dest, "shop", "app")
    evidence = applier.run(compare=True)
"""

from .phases import Phases


class Applier:
    def __init__(self, machine, source, dest, dbname, name="app"):
        self.phases = Phases(machine, source, dest, dbname, name)

    def start(self, **apply):
        return self.phases.start("replicate", worker="apply", more={"apply": {"passes": 1, **apply}})

    def ended(self, seconds=60, **apply):
        """The worker at its end, whichever it is."""
        return self.start(**apply).wait(seconds)

    def run(self, seconds=60, **apply):
        return self.ended(seconds, **apply).evidence

    def refused(self, *words, **apply):
        """Its error, which has these words."""
        failed = self.ended(**apply).failed
        assert failed, "it was not refused"
        assert all(word in failed["message"] for word in words), failed
        return failed["message"]
