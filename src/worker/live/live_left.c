/* What of the live side is not applied back to the source, for the evidence. */
#include <jansson.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/schema/selected_tables.h"
#include "worker/live/live.h"

/* Entries that are told; the last one says how many more there are. */
#define MOST_TOLD 20

/* The catalog does not change often, and reading it takes its time. */
#define REST_MSEC 60000

static void add(json_t *list, const char *what, const char *why)
{
	json_array_append_new(list,
			json_pack("{s:o, s:o}", "what", bm_json_text(what), "why",
					bm_json_text(why)));
}

static int add_left_out(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	struct bm_selected selected;
	int rc = bm_selected_read(pass->phase, &selected, err);

	for (size_t i = 0; rc == 0 && i < selected.count; i++) {
		if (selected.tables[i].left_out[0] != '\0') {
			add(list, selected.tables[i].quoted, selected.tables[i].left_out);
		}
	}
	bm_selected_finish(&selected);
	return rc;
}

static int add_unselected(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	PGresult *filter = bm_selected_filter(pass->phase, err);

	for (int row = 0; filter != NULL && row < PQntuples(filter); row++) {
		if (bm_table_filter_row_is(filter, row, "out")) {
			add(list, PQgetvalue(filter, row, BM_TABLE_FILTER_NAME),
					"the patterns of the migration leave it out");
		}
	}
	PQclear(filter);
	return filter != NULL ? 0 : -1;
}

static int add_large_objects(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(pass->phase, pass->live,
			"SELECT count(*) FROM (SELECT 1 FROM pg_largeobject_metadata"
			" LIMIT 1000000) x",
			0, NULL, err);

	if (rows != NULL && PQgetvalue(rows, 0, 0)[0] != '0') {
		char *what = bm_format("large objects (%s)", PQgetvalue(rows, 0, 0));
		add(list, what, "Bucardo replicates none: what is made or changed there stays there");
		free(what);
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* Sent from the side that was live before they would go over live rows: they stay there. */
static int add_requested(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	enum bm_side side = bm_pass_follower(pass);
	PGresult *rows = bm_phase_ask(pass->phase, side,
			"SELECT tablename FROM bucardo.machine_touches WHERE NOT held ORDER BY 1",
			0, NULL, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		char *why = bm_format(
				"not all rows of it had been sent from the %s when the sides "
				"changed places, and now they would go over live ones: "
				"compare it on both sides",
				bm_side_name(side));
		add(list, PQgetvalue(rows, row, 0), why);
		free(why);
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static void cut(json_t *list)
{
	size_t count = json_array_size(list);

	if (count <= MOST_TOLD) {
		return;
	}
	while (json_array_size(list) >= MOST_TOLD) {
		json_array_remove(list, json_array_size(list) - 1);
	}
	char *what = bm_format("%zu more", count - MOST_TOLD + 1);
	add(list, what, "see those above");
	free(what);
}

static int list_left(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	bool is_live = pass->live == BM_SIDE_DESTINATION;

	if (pass->has_turned && (pass->phase->request.is_both || is_live) &&
			add_requested(pass, list, err) != 0) {
		return -1;
	}
	if (!bm_pass_applies(pass)) {
		add(list, "everything",
				"direction is forward: nothing that is written to the destination "
				"is applied back to the source, and nothing of the source is "
				"written over it any more");
	} else if (is_live &&
			(add_large_objects(pass, list, err) != 0 ||
					add_left_out(pass, list, err) != 0 ||
					add_unselected(pass, list, err) != 0)) {
		return -1;
	}
	cut(list);
	return 0;
}

static int find_left(struct bm_pass *pass, struct bm_error *err)
{
	if (pass->left != NULL && bm_clock_msec() < pass->left_at_msec) {
		return 0;
	}
	json_t *list = json_array();
	if (list_left(pass, list, err) != 0) {
		json_decref(list);
		return bm_error_wrap(err, "finding out what is not applied back");
	}
	json_decref(pass->left);
	pass->left = list;
	pass->left_at_msec = bm_clock_msec() + REST_MSEC;
	return 0;
}

int bm_live_report(struct bm_pass *pass, struct bm_error *err)
{
	bool source_fence = false;

	if (find_left(pass, err) != 0 ||
			bm_live_is_source_fenced(pass, &source_fence, err) != 0) {
		return -1;
	}
	json_object_set_new(pass->phase->evidence, "live",
			json_pack("{s:s, s:b, s:b, s:O}", "side", bm_side_name(pass->live),
					"fence", (int)pass->has_fence, "source_fence",
					(int)source_fence, "not_applied", pass->left));
	return 0;
}
