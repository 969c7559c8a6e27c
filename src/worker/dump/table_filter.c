/* One statement about the catalog of the source. */
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/table_filter.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/pattern.h"
#include "bucardo_machine/strbuf.h"

/*
 * line: each relation with all it descends from. named: what the patterns leave out.
 * gone: that, and what depends on it, step by step; a view depends through its rule.
 * A table is never drawn in by what it needs: that is a row 'stops'.
 */
/* clang-format off */
const char bm_table_filter_sql[] =
#include "worker/dump/sql/table_filter.sql.inc"
;
/* clang-format on */

bool bm_table_filter_is_made(const struct bm_table_filter *filter)
{
	return filter->include != NULL || filter->exclude != NULL;
}

static void add_patterns(json_t *list, const char *const *patterns, bool leaves_out)
{
	for (; patterns != NULL && *patterns != NULL; patterns++) {
		struct bm_strbuf schema = BM_STRBUF_INIT, table = BM_STRBUF_INIT;
		/* One that is no pattern was refused long before. */
		if (bm_pattern_parse(*patterns, &schema, &table) == NULL) {
			json_array_append_new(list,
					json_pack("{s:s, s:s, s:s, s:b}", "text", *patterns,
							"schema", bm_strbuf_text(&schema),
							"table", bm_strbuf_text(&table), "out",
							leaves_out));
		}
		bm_strbuf_finish(&schema);
		bm_strbuf_finish(&table);
	}
}

/* In ASCII, so that it means the same in whatever encoding the session has. */
char *bm_table_filter_param(const struct bm_table_filter *filter)
{
	json_t *list = json_array();

	add_patterns(list, filter->include, false);
	add_patterns(list, filter->exclude, true);
	char *text = json_dumps(list, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(list);
	return text;
}

bool bm_table_filter_row_is(const PGresult *rows, int row, const char *what)
{
	return strcmp(PQgetvalue(rows, row, BM_TABLE_FILTER_WHAT), what) == 0;
}

char *bm_table_filter_out(const PGresult *rows)
{
	struct bm_strbuf list = BM_STRBUF_INIT;

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (bm_table_filter_row_is(rows, row, "out")) {
			bm_quote_array_add(
					&list, PQgetvalue(rows, row, BM_TABLE_FILTER_OBJECT));
		}
	}
	return bm_quote_array_end(&list);
}
