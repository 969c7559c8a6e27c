"""Sample databases: what to load, and how an application writes to each.

`shop` is generated and always there, and so is `nasty`. `pagila` and `chinook` need their dumps: the folder
in BM_DATA, else "data" in a folder "shared" beside the repository.
"""

import os

from . import nasty

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))


def data_dir():
    return os.environ.get("BM_DATA") or os.path.join(os.path.dirname(REPOSITORY), "shared", "data")


def path_of(sample):
    """The SQL file of a sample, or None when it is not on this computer."""
    if sample in ("shop", "nasty"):
        return os.path.join(HERE, f"{sample}.sql")
    path = os.path.join(data_dir(), f"{sample}.sql")
    return path if os.path.exists(path) else None


def best():
    """pagila when it is here, else shop."""
    return "pagila" if path_of("pagila") else "shop"


def load(server, dbname, sample):
    path = path_of(sample)
    if path is None:
        raise RuntimeError(f"sample '{sample}' is not there: set BM_DATA to the folder of {sample}.sql")
    server.psql(dbname, path)


# ---- how applications write: each step is one transaction, given (cursor, random, serial) ----
# `serial` is unique and grows; rows made by a step carry it, so that later steps find them.

def _pagila_sign_actor(cursor, rng, serial):
    cursor.execute("INSERT INTO actor (first_name, last_name) VALUES (%s, %s) RETURNING actor_id",
                   (f"ACTOR {serial}", "TRAFFIC"))
    actor = cursor.fetchone()[0]
    cursor.execute("INSERT INTO film_actor (actor_id, film_id) "
                   "SELECT %s, film_id FROM film ORDER BY film_id OFFSET %s LIMIT 2",
                   (actor, rng.randrange(990)))
    return "insert"


def _pagila_rent(cursor, rng, serial):
    cursor.execute("INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) "
                   "SELECT now() + %s * interval '1 second', %s, %s, 1 RETURNING rental_id",
                   (serial, rng.randint(1, 4000), rng.randint(1, 500)))
    cursor.execute("INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) "
                   "VALUES (%s, 1, %s, %s, timestamptz '2022-07-15' + %s * interval '1 second')",
                   (rng.randint(1, 500), cursor.fetchone()[0], rng.randint(1, 999) / 100,
                    serial % 86400))
    return "insert"


def _pagila_reprice(cursor, rng, serial):
    cursor.execute("UPDATE film SET rental_rate = %s, last_update = now() "
                   "WHERE film_id BETWEEN %s AND %s + 3",
                   (rng.randint(0, 999) / 100, *[rng.randint(1, 990)] * 2))
    return "update"


def _pagila_move(cursor, rng, serial):
    cursor.execute("UPDATE customer SET email = %s WHERE customer_id = %s",
                   (f"{serial}@example.com", rng.randint(1, 500)))
    return "update"


def _pagila_retire(cursor, rng, serial):
    cursor.execute("WITH gone AS (SELECT actor_id FROM actor WHERE last_name = 'TRAFFIC' "
                   "ORDER BY actor_id LIMIT 1), links AS (DELETE FROM film_actor USING gone "
                   "WHERE film_actor.actor_id = gone.actor_id) SELECT actor_id FROM gone")
    row = cursor.fetchone()
    if row:
        cursor.execute("DELETE FROM actor WHERE actor_id = %s", row)
    return "delete"


def _shop_order(cursor, rng, serial):
    cursor.execute("INSERT INTO orders (customer_id, note) VALUES (%s, %s) RETURNING order_id",
                   (rng.randint(1, 400), f"order\t{serial}\\n" if serial % 3 else None))
    order = cursor.fetchone()[0]
    for line in range(rng.randint(1, 3)):
        cursor.execute("INSERT INTO order_line VALUES (%s, %s, %s, %s, %s)",
                       (order, line, rng.randint(1, 200), rng.randint(1, 9),
                        rng.randint(1, 9999) / 100))
    return "insert"


def _shop_document(cursor, rng, serial):
    cursor.execute('INSERT INTO "Odd Names"."Käse & Co" ("Key", "the body", tags, raw) '
                   "VALUES (%s, jsonb_build_object('n', %s), ARRAY['a', NULL, %s], "
                   "decode(md5(%s), 'hex'))", (serial, serial, f"t{serial}", str(serial)))
    return "insert"


def _shop_reprice(cursor, rng, serial):
    first = rng.randint(1, 190)
    cursor.execute("UPDATE product SET price = %s, changed = clock_timestamp() "
                   "WHERE product_id BETWEEN %s AND %s",
                   (rng.randint(1, 99999) / 100, first, first + 5))
    return "update"


def _shop_move(cursor, rng, serial):
    cursor.execute("UPDATE customer SET email = %s, balance = balance + 1.5 "
                   "WHERE customer_id = %s", (f"{serial}@example.com", rng.randint(1, 400)))
    return "update"


def _shop_cancel(cursor, rng, serial):
    cursor.execute("SELECT order_id FROM orders WHERE order_id > 600 ORDER BY order_id LIMIT 1")
    row = cursor.fetchone()
    if row:
        cursor.execute("DELETE FROM order_line WHERE order_id = %s", row)
        cursor.execute("DELETE FROM orders WHERE order_id = %s", row)
    return "delete"


def _chinook_sign(cursor, rng, serial):
    cursor.execute('INSERT INTO "Artist" ("ArtistId", "Name") VALUES (%s, %s)',
                   (serial, f"artist {serial}"))
    return "insert"


def _chinook_rename(cursor, rng, serial):
    cursor.execute('UPDATE "Artist" SET "Name" = %s WHERE "ArtistId" = %s',
                   (f"renamed {serial}", rng.randint(1, 200)))
    return "update"


def _chinook_drop(cursor, rng, serial):
    cursor.execute('DELETE FROM "Artist" WHERE "ArtistId" = '
                   '(SELECT min("ArtistId") FROM "Artist" WHERE "ArtistId" > 1000)')
    return "delete"


STEPS = {
    "pagila": (_pagila_sign_actor, _pagila_rent, _pagila_rent, _pagila_reprice, _pagila_move,
               _pagila_retire),
    "shop": (_shop_order, _shop_order, _shop_document, _shop_reprice, _shop_move, _shop_cancel),
    "chinook": (_chinook_sign, _chinook_sign, _chinook_rename, _chinook_drop),
    "nasty": nasty.STEPS,
}

# One row that is easy to find again: (insert, look up), both given the text.
MARKERS = {
    "pagila": ("INSERT INTO category (name) VALUES (%s)", "SELECT 1 FROM category WHERE name = %s"),
    "shop": ("INSERT INTO marker (name) VALUES (%s)", "SELECT 1 FROM marker WHERE name = %s"),
    "nasty": ("INSERT INTO uuid_key VALUES (md5(%s)::uuid, 'mark')",
              "SELECT 1 FROM uuid_key WHERE id = md5(%s)::uuid"),
    "chinook": ('INSERT INTO "Genre" ("GenreId", "Name") '
                'SELECT max("GenreId") + 1, %s FROM "Genre"',
                'SELECT 1 FROM "Genre" WHERE "Name" = %s'),
}
