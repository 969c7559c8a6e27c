"""PostgreSQL servers of other versions, each Debian suite's own, in podman.

    server = ContainerServer("source", "bullseye")     # PostgreSQL 13; sid: 18
"""

import os
import subprocess

import psycopg2

from .containers import SHARED, network, run
from .servers import Asked
from .waiting import wait_for

VERSIONS = {"bullseye": 13, "bookworm": 15, "trixie": 17, "sid": 18}
HERE = os.path.dirname(os.path.abspath(__file__))

START = """
set -e
bin=$(echo /usr/lib/postgresql/*/bin); data=/tmp/data
echo "$PASSWORD" >/tmp/password
$bin/initdb --no-sync -D $data -U catalyze -E UTF8 --locale=C.UTF-8 --pwfile=/tmp/password \
    --auth-local=trust --auth-host=scram-sha-256 >/dev/null
openssl req -new -x509 -days 30 -nodes -newkey rsa:2048 -subj /CN=server \
    -out $data/server.crt -keyout $data/server.key 2>/dev/null
echo 'hostssl all all 0.0.0.0/0 scram-sha-256' >$data/pg_hba.conf
echo 'local all all trust' >>$data/pg_hba.conf
exec $bin/postgres -D $data -k /tmp -c listen_addresses='*' -c fsync=off -c ssl=on
"""


def _image(suite):
    base = f"docker.io/library/debian:{suite}-slim"
    if run(["podman", "image", "exists", base]).code != 0:
        tool = os.environ.get("BM_BASE_IMAGE") or os.path.join(SHARED, "containers", "base-image")
        run([tool, suite], seconds=600).check()
    image = f"localhost/bm-postgres:{suite}"
    run(["podman", "build", "-q", "--network", "host", "-t", image, "--build-arg", f"BASE={base}",
         "-f", os.path.join(HERE, "postgres.Containerfile"), HERE], seconds=600).check()
    return image


class ContainerServer(Asked):
    """What tests need of support.servers.Server; reached over TLS with a password only."""

    port, user = 5432, "catalyze"

    def __init__(self, name, suite):
        self.name, self.container = name, f"bm-{os.getpid()}-{name}"
        self.password = f"secret-of-{name}"
        run(["podman", "run", "-d", "--name", self.container, f"--network={network()}", "--user",
             "postgres", "-e", f"PASSWORD={self.password}", _image(suite), "bash", "-c", START]).check()
        self.address = run(["podman", "inspect", "-f",
                            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                            self.container]).output.strip()
        number = wait_for(lambda: self.value("SHOW server_version_num"), 60, f"{name} answers",
                          explain=self.log_tail)
        assert int(number) // 10000 == VERSIONS[suite], f"{suite} has PostgreSQL {number}"

    def connect(self, dbname, autocommit=True):
        connection = psycopg2.connect(host=self.address, port=self.port, user=self.user, dbname=dbname,
                                      password=self.password, sslmode="require", connect_timeout=5)
        connection.autocommit = autocommit
        return connection

    def psql(self, dbname, path):
        with open(path, encoding="utf-8") as script:
            subprocess.run(["podman", "exec", "-i", self.container, "psql", "-q", "-X", "-h", "/tmp",
                            "-U", self.user, "-v", "ON_ERROR_STOP=1", "-d", dbname], stdin=script,
                           stdout=subprocess.DEVNULL, check=True, timeout=120)

    def pgpass_line(self):
        return f"{self.address}:{self.port}:*:*:{self.password}\n"

    def log_tail(self):
        return run(["podman", "logs", "--tail", "30", self.container]).output

    def remove(self):
        run(["podman", "rm", "-f", "-t", "0", self.container])
