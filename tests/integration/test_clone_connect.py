"""A first connection is evaluated by what comes of it: a server that answers late is no server that is away."""

import socket
import threading
import time

import pytest
from support.clone import clone_of
from support.proxy import Proxy
from support.users import give

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pair(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def through(clone, port):
    """The source's words for this port, and a line for it in the passfile."""
    with open(clone.pgpass, "a", encoding="utf-8") as out:
        out.write(f"127.0.0.1:{port}:*:{clone.source.user}:{clone.source.password}\n")
    give(clone.pgpass)
    return clone.conninfo(clone.source, host="127.0.0.1", port=port, connect_timeout=2)


def test_a_server_that_takes_longer_than_a_silent_network_may_is_waited_for(pair):
    clone = clone_of(pair, "late", sslmode="disable")
    with Proxy(clone.source) as proxy:
        proxy.delay = 3
        threading.Timer(2, lambda: setattr(proxy, "delay", 0)).start()  # what has come by then is late
        clone.must(source=through(clone, proxy.port))


@pytest.mark.full
def test_a_server_that_takes_a_connection_and_never_speaks_is_given_up_and_named(pair):
    clone = clone_of(pair, "mute", sslmode="disable")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = time.monotonic()
        done = clone.run(source=through(clone, mute.getsockname()[1]))
        assert 7 < time.monotonic() - begun < 20
    assert done.returncode != 0
    assert "the server says nothing for 8 s" in done.stdout + done.stderr
