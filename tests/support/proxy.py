"""A proxy before a server, whose answers can be made late, or not come at all.

    with Proxy(server) as proxy:
        proxy.address, proxy.port          # what clients are told
        proxy.delay = 0.2                  # every byte of an answer comes so much later
        proxy.close_all()                  # every connection is lost, new ones work
    proxy.cut()                        # nothing passes either way, and nobody is told
    proxy.restore()                    # what waited goes on

A delay holds back nothing but time: as many bytes a second go through as before.
"""

import socket
import threading
import time
from queue import SimpleQueue


class Proxy:
    def __init__(self, server):
        self.server, self.delay = server, 0.0
        self._pairs = []
        self._passes = threading.Event()
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self.restore()
        self.close_all()

    def cut(self):
        self._passes.clear()

    def restore(self):
        self._passes.set()

    def close_all(self):
        for pair in self._pairs:
            for end in pair:
                _close(end)
        self._pairs = []

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._passes.wait()
            try:
                server = socket.create_connection((self.server.address, self.server.port))
            except OSError:
                _close(client)  # as the server refuses it
                continue
            self._pairs.append((client, server))
            _thread(self._pump, client, server)
            queue = SimpleQueue()
            _thread(self._read, server, queue)
            _thread(self._write, queue, client)

    def _pump(self, source, target):
        try:
            while piece := source.recv(65536):
                self._passes.wait()
                target.sendall(piece)
        except OSError:
            pass
        _close(source)
        _close(target)

    def _read(self, source, queue):
        try:
            while piece := source.recv(65536):
                queue.put((time.monotonic() + self.delay, piece))
        except OSError:
            pass
        queue.put((0, b""))

    def _write(self, queue, target):
        try:
            while True:
                due, piece = queue.get()
                self._passes.wait()
                if not piece:
                    break
                time.sleep(max(0, due - time.monotonic()))  # the delay itself
                target.sendall(piece)
        except OSError:
            pass
        _close(target)


def _thread(run, *args):
    threading.Thread(target=run, args=args, daemon=True).start()


def _close(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
