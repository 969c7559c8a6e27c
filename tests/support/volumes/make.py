"""Write down what a version leaves on a volume and on both sides, for versions to come.

    BM_BINARY=.../bucardo-machine /usr/bin/python3 tests/support/volumes/make.py FOLDER

BM_BINARY is the program of that version: it brings a small database to live replication and is
stopped; one row waits on the source. Before a change of what is kept in databases run it with the
program of the commit before, give the folder that commit's name, and write its moved.sql.
"""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# pylint: disable=wrong-import-position
from support.declared import wait_live, yaml  # noqa: E402
from support.machine import Machine  # noqa: E402
from support.servers import Server  # noqa: E402
from support.volumes import BUCARDO_TABLES, DBNAME, control_cluster, dump, places  # noqa: E402
from support.waiting import wait_for  # noqa: E402

SHOP = """
    CREATE TYPE state AS ENUM ('new', 'paid');
    CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, born date);
    CREATE TABLE purchase (customer int REFERENCES customer, nr int, state state DEFAULT 'new',
      amount numeric(10,2), PRIMARY KEY (customer, nr));
    CREATE TABLE note (text text);
    INSERT INTO customer (name, born) SELECT 'customer ' || i, date '1970-01-01' + i FROM generate_series(1, 9) i;
    INSERT INTO purchase SELECT i, k, 'new', i * k FROM generate_series(1, 9) i, generate_series(1, 2) k;
    INSERT INTO note VALUES ('kept')"""
CUSTOMER = "SELECT name FROM customer WHERE id = 1"

# Of pg_dump's parts: (type, name) that Bucardo makes itself.
FOREIGN = re.compile(r"(FUNCTION bucardo_|TRIGGER bucardo_delta_names bucardo_delta_namemaker)")
HEADER = re.compile(r"--\n-- (?:Data for )?Name: (?P<name>.*); Type: (?P<type>.*); "
                    r"Schema: (?P<schema>.*); Owner: .*\n--\n")


def parts(text):
    """(what it is, its text) of each part of a dump."""
    found = list(HEADER.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends):
        part = text[match.end():end].split("--\n-- PostgreSQL database dump complete")[0]
        lines = [line for line in part.splitlines()
                 if not re.match(r"(ALTER .* OWNER TO .*;|SET default_.*;|\s*)$", line)]
        if match["type"] != "TABLE DATA" or len(lines) > 2:
            yield f"{match['type']} {match['name']}", match["schema"], "\n".join(lines) + "\n"


def dump_side(server):
    return [part for part in parts(dump(server)) if not FOREIGN.match(part[0])]


def anonymous(text, names, machine):
    """Names in between @ for what is of this place, and for this hour."""
    for side in ("SOURCE", "DESTINATION"):
        system, database = names[f"{side}_SYSTEM"], names[f"{side}_DATABASE"]
        text = text.replace(f"{system}/{database}", f"@{side}_SYSTEM@/@{side}_DATABASE@")
        text = text.replace(f"system {system} database {database}",
                            f"system @{side}_SYSTEM@ database @{side}_DATABASE@")
        text = re.sub(rf"(\"port\": |\t){names[side + '_PORT']}\b", rf"\1@{side}_PORT@", text)
    text = text.replace(names["OWNER"], "@OWNER@").replace(machine.folder, "/machine")
    return text.replace(f"\t{os.uname().nodename}\t", "\tolder\t")


def write(folder, name, text):
    settings = ("SET check_function_bodies = off; SET client_min_messages = warning;\n"
                "SET session_replication_role = replica; SET search_path = '';\n")
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        out.write(settings + text)


def write_all(folder, machine, source, dest):
    with control_cluster(machine) as cluster:
        names = places(cluster, source, dest)
        tables = [word for table in BUCARDO_TABLES for word in ("-t", f"bucardo.{table}")]
        control = "".join(text for dumped in (cluster.dump("-n", "machine"), cluster.dump("-a", *tables))
                          for _, _, text in parts(dumped))
    sides = [dump_side(source), dump_side(dest)]
    common = [part for part in sides[0] if part in sides[1] and part[1] != "public"
              and part[0].split()[0] in ("SCHEMA", "FUNCTION")]
    write(folder, "control.sql", anonymous(control, names, machine))
    write(folder, "functions.sql", "".join(text for _, _, text in common))
    for name, side in zip(("source.sql", "destination.sql"), sides):
        write(folder, name, anonymous("".join(part[2] for part in side if part not in common), names, machine))


def main():
    scratch = tempfile.mkdtemp(prefix="bm-", dir="/tmp")
    os.chmod(scratch, 0o755)
    binary = shutil.copy(os.environ["BM_BINARY"], os.path.join(scratch, "bucardo-machine"))
    os.makedirs(sys.argv[1], exist_ok=True)
    things = []
    try:
        for name in ("source", "dest"):
            things.append(Server(name, scratch).start())
            things[-1].create_database(DBNAME)
        source, dest = things
        source.psql(DBNAME, text=SHOP)
        things.append(Machine(scratch, binary))
        machine = things[-1]
        machine.write_pgpass(source, dest)
        machine.write_config(yaml(source, dest, DBNAME))
        machine.start()
        wait_live(machine)
        source.sql("UPDATE customer SET name = 'went over' WHERE id = 1", dbname=DBNAME)
        wait_for(lambda: dest.value(CUSTOMER, dbname=DBNAME) == "went over", 30, "it goes over")
        machine.stop()
        source.sql("UPDATE customer SET name = 'waits' WHERE id = 2", dbname=DBNAME)
        write_all(sys.argv[1], machine, source, dest)
    finally:
        for thing in reversed(things):
            thing.remove()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
