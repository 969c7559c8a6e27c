"""`support-bundle`: all that others need to help, and no secret, wherever one stood."""

import json
import os
import tarfile

from support import http
from support.users import give

PASSWORD = "s3cr:et'\"\\ wörd"
TOKEN = "t0ken-of-the-page-1234567890"
PLANTED = {"environment": "planted-in-the-environment", "sql": "planted-in-a-statement",
           "uri": "planted-in-a-uri", "chat": "planted-in-a-token",
           "url": "http://127.0.0.1:9/planted-in-an-address", "dbpass": "planted-in-bucardo-db", "key": "cGxhbnRlZCBrZXk="}


def spellings(secret):
    """As it is, in JSON, in SQL, in a conninfo string, in pgpass."""
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
            secret.replace("'", "''"), secret.replace("\\", "\\\\").replace("'", "\\'"),
            secret.replace("\\", "\\\\").replace(":", "\\:")}


def bundle_of(machine, *words):
    """Its files by name, of one that was written to a file of the machine's user."""
    path = os.path.join(machine.folder, "bundle.tar.gz")
    told = machine.cli("support-bundle", "--output", path, *words, seconds=60).check()
    assert told.startswith(path)
    assert os.stat(path).st_mode & 0o077 == 0
    with tarfile.open(path) as archive:
        return {os.path.basename(member.name): archive.extractfile(member).read().decode()
                for member in archive if member.isfile()}


def plant(machine):
    statements = [f"ALTER ROLE a PASSWORD '{PLANTED['sql']}'", f"postgresql://me:{PLANTED['uri']}@h/db",
                  f"-----BEGIN PRIVATE KEY-----\n{PLANTED['key']}\n-----END PRIVATE KEY-----",
                  *(f"it was {spelling}!" for spelling in spellings(PASSWORD))]
    values = ", ".join("('a', 'b', '" + text.replace("'", "''") + "')" for text in statements)
    with machine.control_session(
            f"INSERT INTO bucardo.upgrade_log(action, version, summary) VALUES {values};"
            "INSERT INTO bucardo.db(name, dbname, dbhost, dbuser, dbpass, status) "
            f"VALUES ('planted', 'x', 'h', 'me', '{PLANTED['dbpass']}', 'inactive')"):
        pass


def test_secrets_planted_everywhere_are_in_no_file_of_a_bundle(workshop):
    machine = workshop.machine()
    token = os.path.join(machine.folder, "token")
    with open(token, "w", encoding="ascii") as out:
        out.write(TOKEN + "\n")
    give(token)
    url, other = (os.path.join(machine.folder, name) for name in ("chat-url", "chat-token"))
    for path, text in ((url, PLANTED["url"]), (other, PLANTED["chat"])):
        with open(path, "w", encoding="ascii") as out:
            out.write(text + "\n")
        give(path)
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    machine.write_pgpass(text=f"host:5432:shop:me:{escaped}\n")
    machine.write_config(
        f"version: 1\nhttp:\n  listen: 127.0.0.1:{http.free_port()}\n  token_file: {token}\n"
        f"notify:\n  receivers:\n    - {{name: chat, url_file: {url}, token_file: {other}}}\n"
        "units:\n  - name: tunnel\n    command: [sleep, '1000']\n"
        f"    env: {{SMTP_PASSWORD: {PLANTED['environment']}}}\n")
    machine.start().wait_ready(60)
    plant(machine)
    machine.extra_env["PGPASSWORD"] = PASSWORD
    files = bundle_of(machine)

    for name, text in files.items():
        for secret in [TOKEN, *PLANTED.values(), *spellings(PASSWORD)]:
            assert secret not in text, f"{name}: {secret}"
    assert files["errors.txt"] == ""
    assert json.loads(files["status.json"])["state"] == "ready"
    assert len(files["events.jsonl"].splitlines()) > 2 and json.loads(files["events.jsonl"].splitlines()[0])["id"]
    assert "command: [sleep, '1000']" in files["machine.yaml"] and "SMTP_PASSWORD" in files["machine.yaml"]
    assert "give_up_after" in files["config.yaml"] and files["version.txt"] != ""
    rows = json.loads(files["database-bucardo.db.json"])
    assert [row["name"] for row in rows] == ["planted"] and "dbpass" not in rows[0]
    logged = [row["summary"] for row in json.loads(files["database-bucardo.upgrade_log.json"])]
    assert "ALTER ROLE a PASSWORD '[removed]'" in logged and logged.count("it was [removed]!") == len(spellings(PASSWORD))
    assert "bucardo-machine" in files["processes.txt"] and "machine.yaml" in files["volume.txt"]


def test_a_bundle_is_made_without_a_machine_and_on_standard_output(workshop, tmp_path):
    machine = workshop.machine()
    machine.write_config("version: 1\n")
    files = bundle_of(machine)
    assert files["machine.yaml"] == "version: 1\n"
    for name in ("status.json", "events.jsonl", "database"):
        assert f"{name}: " in files["errors.txt"]
    out = tmp_path / "out.tar.gz"
    machine.shell(f"bucardo-machine support-bundle --output - > {machine.folder}/out.tar.gz", seconds=60).check()
    os.rename(f"{machine.folder}/out.tar.gz", out)
    with tarfile.open(out) as archive:
        assert "README.txt" in [os.path.basename(name) for name in archive.getnames()]
    refused = machine.cli("support-bundle", "--output", "/nowhere/bundle.tar.gz", seconds=60)
    assert refused.code == 1 and "cannot write '/nowhere/bundle.tar.gz': No such file" in refused.output
    assert "--output FILE" in refused.output and "tar" not in refused.output.replace(".tar.gz", "")
    left = machine.shell("ls -d ${TMPDIR:-/tmp}/bucardo-machine-support.* 2>&1")
    assert left.code != 0, left.output
