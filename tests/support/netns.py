"""A network namespace for a server, so that its packets can be dropped without a word.

Dropping needs no firewall module: a wrong permanent neighbour entry on both ends sends
every packet to a MAC address that nobody has. The sender sees silence, as with a broken
route or a stateful firewall that forgot the connection. Needs root.
"""

import os
import subprocess


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Namespace:
    """10.123.N.1 is this machine, 10.123.N.2 (`address`) the inside. N comes from our pid."""

    def __init__(self):
        number = os.getpid() % 250 + 1
        self.name = f"bmtest{os.getpid()}"
        self.outside, self.inside = f"bmo{os.getpid()}", f"bmi{os.getpid()}"
        self.gateway, self.address = f"10.123.{number}.1", f"10.123.{number}.2"
        _ip("netns", "add", self.name)
        try:
            self._wire()
        except subprocess.CalledProcessError:
            self.remove()
            raise

    def _wire(self):
        _ip("link", "add", self.outside, "type", "veth", "peer", "name", self.inside,
            "netns", self.name)
        _ip("addr", "add", f"{self.gateway}/30", "dev", self.outside)
        _ip("link", "set", self.outside, "up")
        self._inside("addr", "add", f"{self.address}/30", "dev", self.inside)
        self._inside("link", "set", self.inside, "up")
        self._inside("link", "set", "lo", "up")
        # Containers have addresses of their own, which answers must find.
        self._inside("route", "add", "default", "via", self.gateway)

    def _inside(self, *words):
        _ip("-n", self.name, *words)

    def prefix(self):
        """Words to put before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def drop(self):
        """From now on every packet between inside and outside is lost."""
        _ip("neigh", "replace", self.address, "lladdr", "02:00:00:00:99:99",
            "dev", self.outside, "nud", "permanent")
        self._inside("neigh", "replace", self.gateway, "lladdr", "02:00:00:00:99:98",
                     "dev", self.inside, "nud", "permanent")

    def restore(self):
        _ip("neigh", "del", self.address, "dev", self.outside)
        self._inside("neigh", "del", self.gateway, "dev", self.inside)

    def remove(self):
        subprocess.run(["ip", "link", "del", self.outside], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
