"""`worker http`: probes, metrics and the status, and that nobody who connects can hurt the machine."""

import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from support import http
from support.declared import replicating, view, wait_view
from support.users import give
from support.waiting import wait_for

OPEN = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
API = "/api/v1/status"
KUBERNETES = os.path.join(os.path.dirname(__file__), "..", "..", "kubernetes")


class Site:
    """A machine with http, and its port."""

    def __init__(self, machine, extra=""):
        self.machine, self.port = machine, http.free_port()
        machine.write_config(self.config(extra))

    def config(self, extra=""):
        return f"version: 1\nhttp:\n  listen: 127.0.0.1:{self.port}\n{extra}"

    def ask(self, path, **options):
        return http.ask(self.port, path, **options)

    def start(self):
        self.machine.start()
        self.wait_up()
        return self

    def wait_up(self):
        wait_for(lambda: self.ask("/livez").status == 200, 30, "/livez says yes",
                 explain=self.machine.log_tail)

    def metrics(self, headers=None):
        return http.Metrics(self.ask("/metrics", headers=headers).text, bool(headers))

    def pid(self):
        return self.machine.unit("http")["pid"]


@pytest.fixture(name="site", scope="module")
def _site(shared_workshop):
    """One machine, without a database to move, for all tests that leave it as it was."""
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(text="")
    site = Site(machine).start()
    machine.wait_ready(60)
    return site


@pytest.fixture(name="own")
def _own(workshop):
    """A machine for tests that do something to it."""
    machine = workshop.machine()
    machine.write_pgpass(text="")
    return Site(machine)


def test_each_page_says_what_the_socket_says(site):
    assert site.ask("/livez").text == "ok\n" and site.ask("/readyz").text == "ok\n"
    status = json.loads(site.ask(API).text)
    assert status["schema"] == 2 and status["pid"] == site.machine.pid()
    events = json.loads(site.ask("/api/v1/events?after=0").text)
    assert [e["text"] for e in events["events"]][0].startswith("bucardo-machine")
    assert events["last"] == events["events"][-1]["id"] and not events["more"]
    later = json.loads(site.ask(f"/api/v1/events?after={events['last']}").text)
    assert later == {"events": [], "last": events["last"], "more": False}
    assert site.ask("/api/v1/events?after=x").status == 400
    assert site.ask("/api/v1/migrations/none").status == 404


def test_what_there_is_not_is_answered_with_what_there_is(site):
    for path in ("/dashboard", "/dashboard/", "/report/", "/api/v1/status/", "/livez/x", "/../etc/passwd"):
        answer = site.ask(path)
        assert answer.status == 404, path
        assert "/metrics" in answer.text and "/api/v1/migrations/" in answer.text


def test_head_is_get_without_its_body_and_nothing_else_is_allowed(site):
    for path in ("/livez", "/metrics", API, "/nothing"):
        get, head = site.ask(path), site.ask(path, method="HEAD")
        assert head.status == get.status and head.body == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        answer = site.ask(API, method=method)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", method


def test_answers_carry_what_keeps_browsers_from_harm_and_no_cookie(site):
    for path in ("/livez", "/metrics", API, "/nothing"):
        headers = site.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY" and headers["Set-Cookie"] is None
        assert headers["Cache-Control"] == "no-cache, private"


def test_bodies_double_headers_and_endless_headers_are_refused(site):
    assert site.ask(API, body="x" * 100).status == 413
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    for twice in (b"Host: other\r\n", b"Accept: a\r\nAccept: b\r\n", b"Authorization: Bearer a\r\n" * 2):
        assert b" 400 " in http.raw(site.port, head + twice + b"Connection: close\r\n\r\n").split(b"\r\n")[0]
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert b" 413 " in http.raw(site.port, chunked).split(b"\r\n")[0]
    long = http.raw(site.port, head + b"X-Long: " + b"x" * 200000 + b"\r\n\r\n")
    assert re.match(rb"HTTP/1.1 (413|431|414|400) ", long) or long == b""
    long = http.raw(site.port, b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert re.match(rb"HTTP/1.[01] (413|431|414|400) ", long) or long == b""
    assert site.ask("/livez").status == 200


def test_an_etag_saves_what_did_not_change_and_gzip_what_is_long(site):
    url = "/api/v1/events?after=0"
    first = site.ask(url)
    again = site.ask(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = site.ask(url, headers={"If-None-Match": '"another"'})
    assert other.status == 200 and other.text == first.text
    packed = site.ask("/metrics", headers={"Accept-Encoding": "br;q=1, gzip;q=0.8"})
    assert packed.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(packed.body).decode()
    assert "bucardo_machine_up 1\n" in text and len(packed.body) < len(text) / 3
    for refused in ({}, {"Accept-Encoding": "gzip;q=0"}, {"Accept-Encoding": "identity"}):
        assert site.ask("/metrics", headers=refused).headers["Content-Encoding"] is None
    assert site.ask("/livez", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None


def test_an_etag_is_the_same_while_only_time_goes_by(site):
    first = site.ask(API).headers["ETag"]
    taken = json.loads(site.ask(API).text)["time"]
    wait_for(lambda: json.loads(site.ask(API).text)["time"] != taken, 5, "a newer status")
    wait_for(lambda: site.ask(API, headers={"If-None-Match": first}).status == 304, 15,
             "a newer status that says the same")


def promtool(*words, text):
    """Prometheus' own opinion, where its program is installed: CI has it (scripts/install-packages --test)."""
    if os.environ.get("CI") or shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", *words], input=text, text=True, capture_output=True,
                              check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr + done.stdout


def test_metrics_are_what_both_formats_allow(site):
    plain, openly = site.ask("/metrics"), site.ask("/metrics", headers=OPEN)
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert openly.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "# EOF" not in plain.text and "# UNIT" not in plain.text
    metrics = http.Metrics(plain.text)
    assert set(metrics.samples) == set(http.Metrics(openly.text, True).samples)
    assert metrics.value("up") == 1 and metrics.value("ready") == 1
    assert metrics.value("unit_up", unit="postgres") == 1 and metrics.value("unit_up", unit="http") == 1
    assert metrics.value("build_info", version=json.loads(site.ask(API).text)["version"]) == 1
    assert metrics.value("recoveries_total", step="kick", result="recovered") == 0
    assert metrics.value("start_time_seconds") == pytest.approx(time.time(), abs=600)
    less = site.ask("/metrics", headers={"Accept": "application/openmetrics-text;q=0.1,text/plain"})
    assert less.headers["Content-Type"].startswith("text/plain")
    promtool("metrics", text=plain.text)


def test_every_metric_is_in_the_document(site):
    table = site.machine.cli("worker", "http", "metrics").check()
    path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "http.md")
    with open(path, encoding="utf-8") as file:
        assert table in file.read()


def test_the_dashboard_and_the_document_are_as_the_table_of_metrics_says(site):
    script = os.path.join(KUBERNETES, "..", "scripts", "metrics-files")
    done = subprocess.run([script, "--check"], check=False, capture_output=True, text=True, timeout=30,
                          env={**os.environ, "BM_BINARY": str(site.machine.binary)})
    assert done.returncode == 0, done.stderr
    with open(os.path.join(KUBERNETES, "examples", "grafana-dashboard.json"), encoding="utf-8") as file:
        board = json.load(file)
    rules = [{"record": f"x:{panel['id']}{target['refId']}", "expr": target["expr"].replace("$__rate_interval", "5m")}
             for panel in board["panels"] for target in panel.get("targets", [])]
    promtool("rules", "/dev/stdin", text=yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))


def test_the_example_alerts_are_for_metrics_that_there_are(site):
    table = site.machine.cli("worker", "http", "metrics").check()
    with open(os.path.join(KUBERNETES, "examples", "monitoring.yaml"), encoding="utf-8") as file:
        service, monitor, rules = yaml.safe_load_all(file)
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            for name in re.findall(r"bucardo_machine_(\w+)", rule["expr"]):
                assert f"| `{name}` |" in table, rule["alert"]
    promtool("rules", "/dev/stdin", text=yaml.safe_dump({"groups": rules["spec"]["groups"]}))
    with open(os.path.join(KUBERNETES, "bucardo-statefulset.yaml"), encoding="utf-8") as file:
        pod = list(yaml.safe_load_all(file))[1]["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    port = pod["spec"]["containers"][0]["ports"][0]["name"]
    assert service["spec"]["ports"][0]["targetPort"] == port
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == port


def test_the_daemon_does_not_load_what_http_needs(site):
    with open(f"/proc/{site.pid()}/maps", encoding="utf-8") as file:
        assert "libmicrohttpd" in file.read()
    with open(f"/proc/{site.machine.pid()}/maps", encoding="utf-8") as file:
        text = file.read()
    assert "libmicrohttpd" not in text and "libz.so" not in text


def test_without_a_token_the_status_is_for_this_computer_by_its_own_name(site):
    for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
        assert site.ask(API, headers={"Host": host}).status == 200
    for host in ("evil.example.com", "localhost.evil.example.com", "127.0.0.1.evil.example.com"):
        assert site.ask(API, headers={"Host": host}).status == 403
        assert site.ask("/livez", headers={"Host": host}).status == 200


def slow(port, count, data):
    """Connections that have begun a request, and never end it."""
    made = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), 5)
        connection.sendall(data)
        made.append(connection)
    return made


def test_a_flood_of_slow_clients_keeps_nobody_out(site, rounds):
    descriptors = len(os.listdir(f"/proc/{site.pid()}/fd"))
    beginnings = (b"", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    flood = []
    times = []
    for number in range(rounds(300, 1000)):
        flood += slow(site.port, 1, beginnings[number % 2])
        if number % 20 == 19:
            answer = site.ask("/livez")
            assert answer.status == 200
            times.append(answer.seconds)
    for _ in range(30):
        times.append(site.ask("/livez").seconds)
    times.sort()
    print(f"/livez with {len(flood)} slow clients: p50 {times[len(times) // 2] * 1000:.1f} ms, "
          f"longest {times[-1] * 1000:.1f} ms")
    assert times[len(times) * 9 // 10] < 0.05
    assert len(os.listdir(f"/proc/{site.pid()}/fd")) < descriptors + 260
    for connection in flood:
        connection.close()
    wait_for(lambda: len(os.listdir(f"/proc/{site.pid()}/fd")) <= descriptors + 2, 10,
             "the connections are gone")


def test_many_who_ask_cost_the_daemon_what_few_do(site):
    """Answers of a quarter of a second serve all: the daemon is asked some times, not 400."""
    began = cpu_ticks(site.machine.pid())
    with ThreadPoolExecutor(16) as pool:
        codes = set(pool.map(lambda _: site.ask("/metrics").status, range(400)))
    assert codes == {200}
    assert cpu_ticks(site.machine.pid()) - began <= 20


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(int(field) for field in file.read().rsplit(")", 1)[1].split()[11:13])


def test_garbage_costs_nothing(site, rounds):
    pid, daemon = site.pid(), site.machine.pid()
    rng = random.Random(int(os.environ["BM_SEED"]))
    whole = b"GET /metrics?a=%41&after=1 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
    for _ in range(rounds(150, 3000)):
        data = bytearray(whole * rng.randint(1, 3))
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(data))
            data[place:place + rng.randint(0, 4)] = rng.randbytes(rng.randint(0, 6))
        with socket.create_connection(("127.0.0.1", site.port), 5) as connection:
            try:
                connection.sendall(data if rng.random() < 0.9 else rng.randbytes(rng.randint(1, 5000)))
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(0.02)
                connection.recv(1000)
            except OSError:
                pass
    assert site.ask("/livez").status == 200
    assert (site.pid(), site.machine.pid()) == (pid, daemon)
    assert site.machine.unit("http")["restarts"] == 0


# ---- what ends, and comes back ----

def test_a_killed_worker_comes_back_and_the_machine_is_ready_all_the_while(own):
    own.start()
    own.machine.wait_ready(60)
    pid, daemon = own.pid(), own.machine.pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: own.pid() not in (None, pid), 20, "another worker")
    own.wait_up()
    assert own.machine.pid() == daemon and own.machine.is_ready()
    assert own.metrics().value("unit_restarts_total", unit="http") == 1
    own.machine.kill9()
    with pytest.raises(OSError):
        own.ask("/livez")
    own.machine.fresh_runtime()
    own.start()
    assert own.machine.stop()[0] == 0


def test_a_daemon_that_is_stuck_is_told_within_two_seconds(own):
    own.start()
    own.metrics()
    os.kill(own.machine.pid(), signal.SIGSTOP)
    try:
        wait_for(lambda: own.ask("/livez").status == 503, 2, "an answer is good for a quarter of a second")
        with ThreadPoolExecutor(8) as pool:
            paths = ["/livez", "/readyz", API, "/api/v1/events"] * 2
            answers = list(pool.map(lambda path: own.ask(path), paths))
        for path, answer in zip(paths, answers):
            assert answer.status == 503 and answer.seconds < 3, path
            assert "did not answer within 1 s" in answer.text
        metrics = own.metrics(OPEN)
        assert metrics.value("up") == 0 and metrics.value("status_age_seconds") > 0.5
        assert metrics.value("unit_up", unit="postgres") is None
    finally:
        os.kill(own.machine.pid(), signal.SIGCONT)
    own.wait_up()


def test_a_machine_that_is_not_ready_says_why(own):
    own.machine.write_config(own.config() + "units: [{name: broken, command: ['false']}]\n")
    own.start()
    answer = wait_for(lambda: (lambda a: a if a.status == 503 and "broken" in a.text else None)(
        own.ask("/readyz")), 30, "/readyz names the unit")
    assert "not ready: 'broken' is " in answer.text
    assert own.ask("/livez").status == 200


def test_the_configuration_switches_it_on_moves_it_and_switches_it_off(workshop):
    machine = workshop.machine(env={"BUCARDO_MACHINE_HTTP": f":{(port := http.free_port())}"}, installed=True)
    machine.write_pgpass(text="")
    machine.start()
    wait_for(lambda: http.ask(port, "/livez").status == 200, 30, "as the environment says")
    other = http.free_port()
    machine.write_config(f"version: 1\nhttp: {{listen: '127.0.0.1:{other}'}}\n")
    wait_for(lambda: http.ask(other, "/livez").status == 200, 20, "as machine.yaml says")
    with pytest.raises(OSError):
        http.ask(port, "/livez")
    machine.write_config("version: 1\nhttp: {listen: none}\n")
    wait_for(lambda: not any(u["name"] == "http" for u in machine.status_json()["units"]), 20, "it is off")
    machine.write_config(f"version: 1\nhttp: {{listen: '127.0.0.1:{other}'}}\n")
    with socket.create_server(("127.0.0.1", other)):
        wait_for(lambda: "cannot listen at" in machine.unit("http")["why"], 20, "a taken port is told")
        machine.wait_ready(60)
    wait_for(lambda: http.ask(other, "/livez").status == 200, 20, "it gets the port")


def test_a_token_opens_all_but_the_probes_and_is_nowhere_to_be_seen(own):
    file = pathlib.Path(own.machine.folder) / "token"
    file.write_text("sesame-4711\n", encoding="ascii")
    own.machine.write_config(own.config(f"  token_file: {file}\n"))
    own.start()

    def code(path, token=None):
        return own.ask(path, headers={"Authorization": f"Bearer {token}"} if token else {}).status
    for path in ("/metrics", API, "/api/v1/events", "/api/v1/migrations/x"):
        assert code(path) == 401 and code(path, "wrong") == 401 and code(path, "sesame-471") == 401
        assert code(path, "sesame-4711x") == 401 and code(path, "x" * 5000) == 401
        assert code(path, "sesame-4711") in (200, 404), path
    assert own.ask("/metrics").headers["WWW-Authenticate"].startswith("Bearer")
    assert code("/livez") == 200 and code("/nothing") == 404
    file.write_text("another\n", encoding="ascii")
    assert code(API, "sesame-4711") == 401 and code(API, "another") == 200
    file.unlink()
    assert code(API, "another") == 503 and code("/livez") == 200
    with open(f"/proc/{own.pid()}/cmdline", encoding="ascii") as line:
        assert "sesame" not in line.read()
    assert "sesame" not in own.machine.log()


def test_https_takes_a_renewed_certificate(own):
    certificate, key = (os.path.join(own.machine.folder, name) for name in ("tls.crt", "tls.key"))

    def make():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", certificate], check=True, capture_output=True)
        give(key)
    make()
    own.machine.write_config(own.config(f"  tls: {{certificate: {certificate}, key: {key}}}\n"))
    own.machine.start()

    def answers():
        return own.ask("/livez", tls=certificate).status == 200
    wait_for(answers, 30, "HTTPS", explain=own.machine.log_tail)
    with pytest.raises(Exception):
        own.ask("/livez")
    pid = own.pid()
    make()
    wait_for(lambda: own.pid() not in (None, pid), 20, "a worker with the renewed certificate")
    wait_for(answers, 20, "HTTPS with the renewed certificate", explain=own.machine.log_tail)


# ---- a migration ----

def what_was_applied_is_counted(source, metrics, sync):
    before = metrics().value("sync_applied_rows_total", sync=sync)
    source.sql("UPDATE kept SET id = id WHERE id <= 10", dbname="shop")
    wait_for(lambda: metrics().value("sync_applied_rows_total", sync=sync) >= before + 20, 30,
             "ten rows were deleted and written")
    assert metrics().value("writable_sides", migration="app") == 1
    assert metrics().value("fence_up", migration="app", side="source") == 0


def what_was_proven_is_a_page(machine, dest, port, metrics):
    """What the background found, and then `verify`: of a row that somebody deleted past the fence."""
    def page(name="app"):
        return http.ask(port, f"/report/{name}", seconds=30)
    proven = wait_for(lambda: (lambda m: m if m.value("verify_proven_ratio", migration="app") else None)(metrics()), 60,
                      "something is proven")
    assert proven.value("verify_chunks", migration="app", state="proven") >= 1
    assert proven.value("verify_oldest_proof_timestamp_seconds", migration="app") == pytest.approx(time.time(), abs=300)
    assert proven.value("verify_differences", migration="app", kind="missing") == 0
    whole = page()
    assert whole.status == 200 and whole.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "style-src 'unsafe-inline'" in whole.headers["Content-Security-Policy"]
    assert "public.kept" in whole.text and "<h1>Is everything there?</h1>" in whole.text and "<script" not in whole.text
    assert page("none").status == 404 and "none" in page("none").text
    assert page("x" * 200).status == 400
    assert http.ask(port, "/report/app", headers={"Host": "evil.example.com"}).status == 403
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on; DELETE FROM kept WHERE id = 500",
             dbname="shop")
    assert machine.cli("verify", "app", "--table", "public.kept", seconds=60).code == 5
    wait_for(lambda: metrics().value("verify_differences", migration="app", kind="missing") == 1, 60, "it is counted")
    assert metrics().value("table_differences", migration="app", table="public.kept") == 1
    told = wait_for(lambda: (lambda a: a if "The databases differ" in a.text else None)(page()), 20, "it is on the page")
    assert "missing" in told.text and "500" in told.text


def what_was_is_kept(port):
    def history():
        answer = http.ask(port, "/api/v1/history?migration=app")
        return json.loads(answer.text) if answer.status == 200 else None
    page = wait_for(lambda: (lambda p: p if p and any(row[3] and row[5] for row in p["rows"]) else None)(history()), 60,
                    "a row of the migration")
    row = dict(zip(page["columns"], next(row for row in page["rows"] if row[3] and row[5])))
    assert row["applied_rows"] >= 20 and 0 < row["verified_percent"] <= 100
    assert any(row[1] is not None for row in page["rows"]), "the lag is known"
    kinds = [mark["kind"] for mark in page["marks"]]
    assert kinds[0] == "start" and "phase" in kinds


def how_large_tables_are(now, machine):
    bytes_of = {(dict(labels)["table"], dict(labels)["side"]): value for (n, labels), value in now.samples.items()
                if n.endswith("_table_bytes")}
    name = 'public."Large Übrig"'
    assert set(bytes_of) == {(table, side) for table in (name, "public.kept") for side in ("source", "destination")}, bytes_of
    assert all(1000000 < bytes_of[name, side] < 3000000 for side in ("source", "destination")), bytes_of
    assert now.value("table_rows", migration="app", table=name) == 2000
    assert [t["table"] for t in view(machine)["reconcile"]["largest"]] == [name, "public.kept"]


def test_metrics_of_a_migration_are_true_and_its_lag_grows_while_nobody_can_say(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop")
    source.sql('CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE "Large Übrig" (id int PRIMARY KEY, what text);'
               """INSERT INTO "Large Übrig" SELECT i, repeat('x', 500) FROM generate_series(1, 2000) i;"""
               'CREATE TABLE "no ""key""\\" (a int);'
               "INSERT INTO kept SELECT generate_series(1, 1000)", dbname="shop")
    machine = workshop.machine()
    port = http.free_port()
    replicating(workshop, source, dest, "shop", machine=machine,
                extra=f"http: {{listen: '127.0.0.1:{port}'}}\n")
    machine.wait_ready(60)

    def metrics():
        return http.Metrics(http.ask(port, "/metrics", headers=OPEN).text, True)
    wait_view(machine, lambda v: v["not_in_step"], "the keyless table is counted", 60)
    now = metrics()
    promtool("metrics", text=http.ask(port, "/metrics").text)
    sync = next(s["name"] for s in machine.status_json()["syncs"])
    assert now.value("migration_phase", migration="app", phase="replicate", status="live") == 1
    assert now.value("migration_live", migration="app") == 1
    assert now.value("fence_up", migration="app", side="destination") == 1
    assert now.value("database_up", side="source") == 1
    assert now.value("database_up", side="destination") == 1
    assert now.value("sync_backlog_rows", sync=sync) == 0 and now.value("sync_lag_seconds", sync=sync) == 0
    assert now.value("requeued_rows_total", sync=sync) == 0
    assert now.value("tables_paused", migration="app") == 0
    assert now.value("table_not_in_step", migration="app") == 1
    name = next(dict(labels)["table"] for (n, labels) in now.samples if n.endswith("table_not_in_step"))
    assert '"' in name and "\\" in name
    how_large_tables_are(now, machine)
    one = json.loads(http.ask(port, "/api/v1/migrations/app").text)
    assert one["name"] == "app" and one["phase"] == "replicate"
    what_was_applied_is_counted(source, metrics, sync)
    what_was_is_kept(port)  # before a difference makes the share of what is proven small
    what_was_proven_is_a_page(machine, dest, port, metrics)

    machine.cli("service", "stop", "postgres").check()
    wait_for(lambda: (metrics().value("sync_lag_seconds", sync=sync) or 0) > 2, 30,
             "the lag grows while PostgreSQL is stopped")
    os.kill(machine.pid(), signal.SIGSTOP)
    try:
        first = metrics()
        wait_for(lambda: metrics().value("sync_lag_seconds", sync=sync) >
                 first.value("sync_lag_seconds", sync=sync) + 1, 10, "and while the daemon is dead")
        assert metrics().value("up") == 0
    finally:
        os.kill(machine.pid(), signal.SIGCONT)
