/* Statements that make rows comparable: what they must say, and must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/scan/digest.h"

static char id[] = "id", value[] = "\"v %s\"", bigint[] = "bigint", text[] = "text",
	    bpchar[] = "bpchar", stranger[] = "public.pair", table_name[] = "public.t";

static struct bm_verify_column columns[] = {{.name = id, .type = bigint, .way = BM_WAY_INT},
		{.name = value, .type = text, .way = BM_WAY_TEXT}};

static const struct bm_verify_table table = {.name = table_name,
		.columns = columns,
		.column_count = BM_COUNT_OF(columns),
		.key = columns,
		.key_count = 1};

static const struct bm_digest native = {.same_encoding = true},
			      portable = {.portable = true, .same_encoding = true},
			      foreign = {.converted = true};

static void assert_has(const struct bm_strbuf *sql, const char *part)
{
	if (strstr(bm_strbuf_text(sql), part) == NULL) {
		fail_msg("no \"%s\" in: %s", part, bm_strbuf_text(sql));
	}
}

static void assert_lacks(const struct bm_strbuf *sql, const char *part)
{
	if (strstr(bm_strbuf_text(sql), part) != NULL) {
		fail_msg("\"%s\" in: %s", part, bm_strbuf_text(sql));
	}
}

static void all_bits_of_a_whole_number_count(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_row(&native, &table, &sql);
	assert_has(&sql, "hashint8extended(id::int8, (id::int8 >> 32 << 12) + 1)");
	bm_strbuf_finish(&sql);
}

static void each_column_has_a_seed_of_its_own_and_null_is_a_number(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_row(&native, &table, &sql);
	assert_has(&sql, ", 1::int8)");
	assert_has(&sql, ", 2)");
	assert_has(&sql, ", 2::int8)");
	bm_strbuf_finish(&sql);
}

static void names_with_percent_signs_stay_whole(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_sums_sql(&native, &table, "0", "", &sql);
	assert_has(&sql, "(\"v %s\"::text) COLLATE \"C\"");
	assert_has(&sql, "FROM ONLY public.t OFFSET 0");
	bm_strbuf_finish(&sql);
}

static void a_strangers_type_is_never_cast(void **state)
{
	struct bm_verify_column one = {.name = value, .type = stranger, .way = BM_WAY_FORMAT};
	const struct bm_verify_table strange = {.name = table_name,
			.columns = &one,
			.column_count = 1,
			.key = &one,
			.key_count = 1};
	const struct bm_digest *const digests[] = {&native, &portable, &foreign};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(digests); i++) {
		struct bm_strbuf sql = BM_STRBUF_INIT;
		bm_digest_look_sql(digests[i], &strange, true, &sql);
		assert_has(&sql, "format('%s', \"v %s\")");
		assert_lacks(&sql, "\"v %s\"::text");
		assert_lacks(&sql, stranger);
		bm_strbuf_finish(&sql);
	}
}

static void blanks_of_a_char_count(void **state)
{
	struct bm_verify_column one = {.name = value, .type = bpchar, .way = BM_WAY_BPCHAR};
	const struct bm_verify_table padded = {
			.name = table_name, .columns = &one, .column_count = 1};
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_row(&native, &padded, &sql);
	assert_has(&sql, "textin(bpcharout(\"v %s\"))");
	bm_strbuf_finish(&sql);
}

static void sha256_takes_the_place_of_all_hash_functions(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_sums_sql(&portable, &table, "0", "id > 1", &sql);
	assert_has(&sql, "sha256(");
	assert_has(&sql, " WHERE id > 1 OFFSET 0");
	assert_lacks(&sql, "extended(");
	assert_lacks(&sql, "md5(");
	bm_strbuf_finish(&sql);
}

static void other_encodings_are_hashed_and_sorted_as_utf8(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_rows_sql(&foreign, &table, "", 7, &sql);
	assert_has(&sql, "encode(convert_to(\"v %s\"::text, 'UTF8'), 'escape')");
	assert_has(&sql, "ORDER BY convert_to(format('%s', id), 'UTF8') LIMIT 7");
	bm_strbuf_clear(&sql);
	bm_digest_rows_sql(&native, &table, "", 7, &sql);
	assert_has(&sql, "ORDER BY format('%s', id) COLLATE \"C\" LIMIT 7");
	bm_strbuf_finish(&sql);
}

static void keys_are_looked_up_as_what_they_are(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_keys_condition(&table, 3, &sql);
	assert_string_equal(bm_strbuf_text(&sql),
			"(id) IN (SELECT u.k0::bigint FROM unnest($3::text[]) u(k0))");
	bm_strbuf_finish(&sql);
}

static void parts_of_a_bucket_take_other_bits_than_the_bucket(void **state)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_digest_key_bucket(&native, &table, 20, 64, &sql);
	assert_has(&sql, " >> 20) & 63)::int4");
	bm_strbuf_finish(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(all_bits_of_a_whole_number_count),
			cmocka_unit_test(
					each_column_has_a_seed_of_its_own_and_null_is_a_number),
			cmocka_unit_test(names_with_percent_signs_stay_whole),
			cmocka_unit_test(a_strangers_type_is_never_cast),
			cmocka_unit_test(blanks_of_a_char_count),
			cmocka_unit_test(sha256_takes_the_place_of_all_hash_functions),
			cmocka_unit_test(other_encodings_are_hashed_and_sorted_as_utf8),
			cmocka_unit_test(keys_are_looked_up_as_what_they_are),
			cmocka_unit_test(parts_of_a_bucket_take_other_bits_than_the_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
