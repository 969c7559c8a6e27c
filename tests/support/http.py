"""A plain HTTP client for tests, and a strict parser of metrics."""

import contextlib
import http.client
import re
import socket
import ssl
import time

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)\Z")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds
        self.text = body.decode("utf-8", "replace")


def ask(port, path, method="GET", headers=None, body=None, seconds=5, tls=None, host="127.0.0.1"):
    """One request on a connection of its own; raises OSError when nobody answers."""
    started = time.monotonic()
    if tls:
        context = ssl.create_default_context(cafile=tls)
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read()
        return Answer(answer.status, answer.headers, text, time.monotonic() - started)


def raw(port, data, seconds=5):
    """Send bytes as they are, and read until the other side closes or `seconds` are over."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(data)
            while True:
                block = connection.recv(65536)
                if not block:
                    break
                got += block
        except OSError:
            pass
    return got


class Metrics:
    """Parsed strictly: raises ValueError at whatever the format does not allow."""

    def __init__(self, text, open_metrics=False):
        self.types, self.helps, self.units, self.samples = {}, {}, {}, {}
        self.order, self.open = [], open_metrics
        if not text.endswith("\n"):
            raise ValueError("the last line does not end")
        lines = text[:-1].split("\n")
        if open_metrics:
            if lines.pop() != "# EOF":
                raise ValueError("no # EOF")
        for line in lines:
            self._line(line)

    def _line(self, line):
        if line.startswith("# "):
            kind, name, rest = line[2:].split(" ", 2)
            table = {"TYPE": self.types, "HELP": self.helps, "UNIT": self.units}[kind]
            if name in table or not NAME.match(name):
                raise ValueError(f"twice, or no name: {line}")
            if kind == "UNIT" and not (self.open and name.endswith("_" + rest)):
                raise ValueError(f"a unit that is not the name's: {line}")
            table[name] = rest
            if name not in self.order:
                self.order.append(name)
            if self.order[-1] != name:
                raise ValueError(f"a family in two places: {line}")
            return
        found = SAMPLE.match(line)
        if not found:
            raise ValueError(f"not a sample: {line!r}")
        name, labels, value = found.groups()
        family = self._family(name)
        if not self.order or self.order[-1] != family or family not in self.helps:
            raise ValueError(f"a sample outside its family: {line}")
        key = (name, self._labels(labels))
        if key in self.samples:
            raise ValueError(f"twice: {line}")
        self.samples[key] = float(value)

    def _family(self, name):
        for ending in ("_bucket", "_sum", "_count"):
            if name.endswith(ending) and self.types.get(name[:-len(ending)]) == "histogram":
                return name[:-len(ending)]
        if not self.open:
            if (self.types.get(name) == "counter") != name.endswith("_total"):
                raise ValueError(f"a counter, and no _total: {name}")
            return name
        for ending, kind in (("_total", "counter"), ("_info", "info")):
            if name.endswith(ending) and self.types.get(name[:-len(ending)]) == kind:
                return name[:-len(ending)]
        if self.types.get(name) != "gauge":
            raise ValueError(f"a sample that its type does not have: {name}")
        return name

    @staticmethod
    def _labels(text):
        labels, place = [], 0
        while text and place < len(text):
            if labels:
                if text[place] != ",":
                    raise ValueError(f"labels: {text}")
                place += 1
            found = LABEL.match(text, place)
            if not found:
                raise ValueError(f"labels: {text}")
            value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
            labels.append((found[1], value))
            place = found.end()
        if len(dict(labels)) != len(labels):
            raise ValueError(f"a label twice: {text}")
        return frozenset(labels)

    def value(self, name, **labels):
        """The only sample of this name whose labels contain these; None without one."""
        found = [value for (have, its), value in self.samples.items()
                 if have == "bucardo_machine_" + name and set(labels.items()) <= its]
        assert len(found) <= 1, f"{name} {labels} has {len(found)} samples"
        return found[0] if found else None
