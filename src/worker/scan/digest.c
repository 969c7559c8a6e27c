#include "worker/scan/digest.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

/* A value as text: what the servers say of it in sessions with the same settings. */
static void put_text(const struct bm_verify_column *column, struct bm_strbuf *out)
{
	const char *name = column->name;

	switch (column->way) {
	case BM_WAY_BPCHAR:
		bm_strbuf_printf(out, "textin(bpcharout(%s))", name);
		break;
	case BM_WAY_BYTEA:
		bm_strbuf_printf(out, "encode(%s, 'hex')", name);
		break;
	case BM_WAY_FORMAT: /* it makes '' of NULL; IS NULL is true for a row of NULLs */
		bm_strbuf_printf(out, "CASE WHEN num_nulls(%s) = 0 THEN format('%%s', %s) END",
				name, name);
		break;
	default:
		bm_strbuf_printf(out, "%s::text", name);
	}
}

/* Bytes of a text that do not depend on the encoding of the database. */
static void put_bytes(const struct bm_digest *digest, const struct bm_verify_column *column,
		struct bm_strbuf *out)
{
	bool plain = digest->same_encoding || column->way == BM_WAY_BYTEA;

	bm_strbuf_puts(out, plain ? "(" : "encode(convert_to(");
	put_text(column, out);
	bm_strbuf_puts(out, plain ? ") COLLATE \"C\"" : ", 'UTF8'), 'escape')");
}

static void put_portable(
		const struct bm_verify_column *column, size_t seed, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "('x' || substr(encode(sha256(convert_to('%zu:' || (", seed);
	put_text(column, out);
	bm_strbuf_puts(out, "), 'UTF8')), 'hex'), 1, 16))::bit(64)::int8");
}

/* Folded to 32 bits like whole numbers; the epoch keeps more of them, and knows infinity. */
static void put_timestamp(const char *name, const char *utc, size_t seed, struct bm_strbuf *out)
{
	bm_strbuf_printf(out,
			"timestamp_hash_extended(%s, hashfloat8extended(date_part('epoch', %s), %zu))",
			utc, name, seed);
}

static void put_native(const struct bm_digest *digest, const struct bm_verify_column *column,
		size_t seed, struct bm_strbuf *out)
{
	char *utc;

	switch (column->way) {
	case BM_WAY_INT: /* the function folds it to 32 bits: the upper half goes into the seed
			  */
		bm_strbuf_printf(out,
				"hashint8extended(%s::int8, (%s::int8 >> 32 << 12) + %zu)",
				column->name, column->name, seed);
		break;
	case BM_WAY_BOOL:
		bm_strbuf_printf(out, "hashint8extended(%s::int4, %zu)", column->name, seed);
		break;
	case BM_WAY_UUID:
		bm_strbuf_printf(out, "uuid_hash_extended(%s, %zu)", column->name, seed);
		break;
	case BM_WAY_TIMESTAMP:
		put_timestamp(column->name, column->name, seed, out);
		break;
	case BM_WAY_TIMESTAMPTZ:
		utc = bm_format("timezone('UTC', %s)", column->name);
		put_timestamp(column->name, utc, seed, out);
		free(utc);
		break;
	default:
		bm_strbuf_puts(out, "hashtextextended(");
		put_bytes(digest, column, out);
		bm_strbuf_printf(out, ", %zu)", seed);
	}
}

/* Never NULL: no value is a number of its own. */
static void put_column(const struct bm_digest *digest, const struct bm_verify_column *column,
		size_t seed, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "coalesce(");
	if (digest->portable) {
		put_portable(column, seed, out);
	} else {
		put_native(digest, column, seed, out);
	}
	bm_strbuf_printf(out, ", %zu::int8)", seed);
}

/* The columns' hashes by exclusive or. Sums need it mixed once more, or those over two rows
 * that have exchanged a value would often be the same. Here that is done with sha256, which is
 * dear, and in put_sums() with a hash that takes 32 bits of it at a time. */
static void put_mixed(const struct bm_digest *digest, const struct bm_verify_column *columns,
		size_t count, struct bm_strbuf *out)
{
	bm_strbuf_puts(out,
			digest->portable ? "('x' || substr(encode(sha256(convert_to((0::int8"
					 : "(0::int8");
	for (size_t i = 0; i < count; i++) {
		bm_strbuf_puts(out, " # ");
		put_column(digest, &columns[i], i + 1, out);
	}
	bm_strbuf_puts(out,
			digest->portable ? ")::text, 'UTF8')), 'hex'), 1, 16))::bit(64)::int8"
					 : ")");
}

/* Of `h`: two sums, none of which tells of the other. */
static void put_sums(const struct bm_digest *digest, struct bm_strbuf *out)
{
	bm_strbuf_puts(out,
			digest->portable ? "sum(h), sum((h >> 32) * (h & 4294967295))"
					 : "sum(hashint8extended(h, 0)),"
					   " sum(hashint8extended(h, h >> 32))");
}

void bm_digest_probe_sql(struct bm_strbuf *out)
{
	bm_strbuf_puts(out,
			"SELECT hashtextextended('', 1), hashtextextended('a', 1),"
			" hashtextextended('bucardo', 2), hashtextextended(repeat('x', 1000), 3),"
			" hashtextextended(E'\\x01\\x7f', 4), hashtextextended('0123456789abcdef', 5),"
			" hashtextextended('12345678901', 0), hashtextextended('123456789012', 0),"
			" hashtextextended('1234567890123', 0), hashint8extended(0, 0),"
			" hashint8extended(-1, 1), hashint8extended(9223372036854775807, 2),"
			" hashint8extended(4294967296, 3),"
			" uuid_hash_extended('00010203-0405-0607-0809-0a0b0c0d0e0f', 1),"
			" timestamp_hash_extended('2000-01-01 00:00:00.000001', 1),"
			" timestamp_hash_extended('infinity', 2),"
			" timestamp_hash_extended('-infinity', 3),"
			" hashfloat8extended(date_part('epoch', timestamp '2026-11-28 18:00:00.123456'), 1),"
			" hashfloat8extended('infinity', 2), hashfloat8extended('-infinity', 3)");
}

void bm_digest_row(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_strbuf *out)
{
	put_mixed(digest, table->columns, table->column_count, out);
}

void bm_digest_columns(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "ARRAY[");
	for (size_t i = 0; i < table->column_count; i++) {
		bm_strbuf_puts(out, i > 0 ? ", " : "");
		put_column(digest, &table->columns[i], i + 1, out);
	}
	bm_strbuf_puts(out, "]::int8[]");
}

void bm_digest_key_bucket(const struct bm_digest *digest, const struct bm_verify_table *table,
		unsigned shift, unsigned count, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "((");
	put_mixed(digest, table->key, table->key_count, out);
	bm_strbuf_printf(out, " >> %u) & %u)::int4", shift, count - 1);
}

/* A key of a type that somebody made is compared as text: its `=` may be anybody's. */
void bm_digest_keys_condition(
		const struct bm_verify_table *table, unsigned first, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "(");
	for (size_t i = 0; i < table->key_count; i++) {
		bool made = table->key[i].way == BM_WAY_FORMAT;
		bm_strbuf_printf(out, "%s%s%s%s", i > 0 ? ", " : "",
				made ? "format('%s', " : "", table->key[i].name,
				made ? ")" : "");
	}
	bm_strbuf_puts(out, ") IN (SELECT ");
	for (size_t i = 0; i < table->key_count; i++) {
		bool made = table->key[i].way == BM_WAY_FORMAT;
		bm_strbuf_printf(out, "%su.k%zu::%s", i > 0 ? ", " : "", i,
				made ? "text" : table->key[i].type);
	}
	bm_strbuf_puts(out, " FROM unnest(");
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(out, "%s$%zu::text[]", i > 0 ? ", " : "", first + i);
	}
	bm_strbuf_puts(out, ") u(");
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(out, "%sk%zu", i > 0 ? ", " : "", i);
	}
	bm_strbuf_puts(out, "))");
}

void bm_digest_key_texts(const struct bm_verify_table *table, struct bm_strbuf *out)
{
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(out, "%sformat('%%s', %s)", i > 0 ? ", " : "",
				table->key[i].name);
	}
}

void bm_digest_sums_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		const char *bucket, const char *condition, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "SELECT b, count(*), ");
	put_sums(digest, out);
	bm_strbuf_printf(out, " FROM (SELECT %s AS b, ", bucket);
	bm_digest_row(digest, table, out);
	/* OFFSET: or the hash would be worked out for each time that it is named. */
	bm_strbuf_printf(out, " AS h FROM ONLY %s%s%s OFFSET 0) x GROUP BY b", table->name,
			condition[0] != '\0' ? " WHERE " : "", condition);
}

/* In the order of the bytes that we receive, which both servers and strcmp() know. */
static void put_key_order(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_strbuf *out)
{
	bm_strbuf_puts(out, " ORDER BY ");
	for (size_t i = 0; i < table->key_count; i++) {
		const char *name = table->key[i].name;
		bm_strbuf_puts(out, i > 0 ? ", " : "");
		if (digest->converted) {
			bm_strbuf_printf(out, "convert_to(format('%%s', %s), 'UTF8')", name);
		} else {
			bm_strbuf_printf(out, "format('%%s', %s) COLLATE \"C\"", name);
		}
	}
}

void bm_digest_rows_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		const char *condition, unsigned limit, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "SELECT ");
	bm_digest_key_texts(table, out);
	bm_strbuf_puts(out, ", ");
	bm_digest_row(digest, table, out);
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(
				out, "%s%s", i > 0 ? ", " : ", num_nulls(", table->key[i].name);
	}
	bm_strbuf_printf(out, ") FROM ONLY %s%s%s", table->name,
			condition[0] != '\0' ? " WHERE " : "", condition);
	put_key_order(digest, table, out);
	bm_strbuf_printf(out, " LIMIT %u", limit);
}

void bm_digest_look_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		bool values, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "SELECT ");
	bm_digest_key_texts(table, out);
	bm_strbuf_puts(out, ", ");
	bm_digest_columns(digest, table, out);
	for (size_t i = 0; values && i < table->column_count; i++) {
		bm_strbuf_puts(out, ", left(");
		put_text(&table->columns[i], out);
		bm_strbuf_puts(out, ", 200)");
	}
	bm_strbuf_printf(out, " FROM ONLY %s WHERE ", table->name);
	bm_digest_keys_condition(table, 1, out);
	put_key_order(digest, table, out);
	/* Where it is no key on one side: rows of one key are compared in one order. */
	bm_strbuf_printf(out, ", %zu", table->key_count + 1);
}

/* ---- what a side answered ---- */

void bm_sums_init(struct bm_sums *sums, size_t first, size_t count)
{
	sums->first = first;
	sums->count = count;
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		sums->sides[side] = bm_alloc((count + 1) * sizeof(struct bm_sum));
	}
}

void bm_sums_finish(struct bm_sums *sums)
{
	free(sums->sides[0]);
	free(sums->sides[1]);
	*sums = (struct bm_sums){0};
}

/* A whole number of any length that fits; the servers write nothing else here. */
static __int128 number_of(const char *text)
{
	bool negative = text[0] == '-';
	__int128 number = 0;

	for (text += negative; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (*text - '0');
	}
	return negative ? -number : number;
}

void bm_sums_take(struct bm_sums *sums, enum bm_pair_side side, const PGresult *rows, int sign)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		size_t bucket = strtoul(PQgetvalue(rows, row, 0), NULL, 10);
		if (bucket < sums->first || bucket - sums->first >= sums->count) {
			continue;
		}
		struct bm_sum *sum = &sums->sides[side][bucket - sums->first];
		sum->rows += sign * strtoll(PQgetvalue(rows, row, 1), NULL, 10);
		sum->hashes += sign * number_of(PQgetvalue(rows, row, 2));
		sum->halves += sign * number_of(PQgetvalue(rows, row, 3));
	}
}

const struct bm_sum *bm_sums_of(
		const struct bm_sums *sums, enum bm_pair_side side, size_t bucket)
{
	return &sums->sides[side][bucket - sums->first];
}

bool bm_sums_differ(const struct bm_sums *sums, size_t bucket)
{
	const struct bm_sum *a = bm_sums_of(sums, BM_PAIR_SOURCE, bucket);
	const struct bm_sum *b = bm_sums_of(sums, BM_PAIR_DESTINATION, bucket);

	return a->rows != b->rows || a->hashes != b->hashes || a->halves != b->halves;
}
