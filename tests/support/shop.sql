-- shop: a small generated database with what replication stumbles over: composite keys, odd
-- names, NULLs, arrays, jsonb, bytea, timestamps, partitions, a sequence without a table.
CREATE TABLE customer (customer_id serial PRIMARY KEY, name text NOT NULL, email text,
	balance numeric(12,2) NOT NULL DEFAULT 0, since timestamptz NOT NULL DEFAULT now());
CREATE TABLE product (product_id serial PRIMARY KEY, name text NOT NULL UNIQUE,
	price numeric(10,2) NOT NULL, weight double precision, changed timestamptz);
CREATE TABLE orders (order_id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customer,
	placed timestamptz NOT NULL DEFAULT now(), note text);
CREATE TABLE order_line (order_id int NOT NULL REFERENCES orders, line int NOT NULL,
	product_id int NOT NULL REFERENCES product, quantity int NOT NULL CHECK (quantity > 0),
	price numeric(10,2) NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE visit (day date NOT NULL, customer_id int NOT NULL, pages int,
	PRIMARY KEY (day, customer_id)) PARTITION BY RANGE (day);
CREATE TABLE visit_2026_01 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE visit_2026_02 PARTITION OF visit FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE marker (name text PRIMARY KEY);
CREATE SCHEMA "Odd Names";
CREATE TABLE "Odd Names"."Käse & Co" ("Key" bigint PRIMARY KEY, "the body" jsonb, tags text[],
	raw bytea, span interval);
CREATE SEQUENCE invoice_number START 1000 INCREMENT 7;

INSERT INTO customer (name, email, balance)
	SELECT 'customer ' || i, CASE WHEN i % 7 > 0 THEN i || '@example.org' END, i * 1.25
	FROM generate_series(1, 400) i;
INSERT INTO product (name, price, weight)
	SELECT 'product ' || i, i * 0.99, i / 3.0 FROM generate_series(1, 200) i;
INSERT INTO orders (customer_id, note)
	SELECT 1 + i % 400, CASE WHEN i % 5 = 0 THEN E'tab\tnew\nline \\ quote''' END
	FROM generate_series(1, 600) i;
INSERT INTO order_line
	SELECT o, l, 1 + (o * 7 + l) % 200, 1 + (o + l) % 5, (o + l) * 0.5
	FROM generate_series(1, 600) o, generate_series(1, 3) l;
INSERT INTO visit SELECT date '2026-01-01' + i % 59, i, i % 11 FROM generate_series(1, 2000) i;
INSERT INTO "Odd Names"."Käse & Co"
	SELECT -i, jsonb_build_object('i', i, 'text', repeat('ü', i % 9)), ARRAY['x', NULL, i::text],
		decode(md5(i::text), 'hex'), i * interval '1 hour' FROM generate_series(1, 100) i;
SELECT nextval('invoice_number') FROM generate_series(1, 5);
