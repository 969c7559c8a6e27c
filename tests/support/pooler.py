"""PgBouncer before a server: Debian's, as the unprivileged user, with TLS as applications have it.

    with Pooler(server, folder, pool_mode="transaction") as pooler:
        pooler.address, pooler.port          # the rest is the server's
"""

import os
import subprocess

import psycopg2

from .servers import Asked, free_port
from .users import as_user, give
from .waiting import wait_for


class Pooler(Asked):
    """What tests need of support.servers.Server, through a pooler."""

    usual = "postgres"  # a database that it knows
    # What stands in [databases].
    databases = property(lambda self: f"* = host={self.server.address} port={self.server.port}\n")

    def __init__(self, server, folder, **settings):
        self.name, self.user, self.password = server.name, server.user, server.password
        self.server, self.address, self.port = server, "127.0.0.1", free_port()
        self.folder = os.path.join(folder, f"pooler-{self.port}")
        self.settings = {"pool_mode": "transaction", "default_pool_size": 20, **settings}
        self.process = None
        os.makedirs(self.folder, mode=0o755)
        give(self.folder)

    def users(self):
        return f'"{self.user}" "{self.password}"\n'

    def start(self):
        ini = {"listen_addr": self.address, "listen_port": self.port, "auth_type": "plain", "unix_socket_dir": "",
               "auth_file": f"{self.folder}/users", "logfile": f"{self.folder}/log", "client_tls_sslmode": "require",
               "client_tls_key_file": f"{self.server.data}/server.key", "server_tls_sslmode": "require",
               "client_tls_cert_file": f"{self.server.data}/server.crt", **self.settings}
        lines = "".join(f"{name} = {value}\n" for name, value in ini.items())
        for name, text in (("users", self.users()), ("ini", f"[databases]\n{self.databases}[pgbouncer]\n{lines}")):
            path = os.path.join(self.folder, name)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
            give(path)
        self.process = subprocess.Popen(as_user(["/usr/sbin/pgbouncer", "-q", f"{self.folder}/ini"], pdeathsig="KILL"),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.value("SELECT 1", dbname=self.usual) == 1, 15, "the pooler answers", explain=self.log_tail)
        return self

    def connect(self, dbname, autocommit=True, **_):
        connection = psycopg2.connect(host=self.address, port=self.port, user=self.user, dbname=dbname,
                                      password=self.password, sslmode="require", connect_timeout=5)
        connection.autocommit = autocommit
        return connection

    def pgpass_line(self):
        return f"{self.address}:{self.port}:*:{self.user}:{self.password}\n"

    def log_tail(self):
        try:
            with open(f"{self.folder}/log", encoding="utf-8") as log:
                return "".join(log.readlines()[-20:])
        except OSError as error:
            return f"(no log of the pooler: {error})"

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()
