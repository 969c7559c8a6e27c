/* What breaks, of some tables, at this moment: for who cannot wait for the next look at them.
 */
#include "worker/drift/drift.h"

#include <jansson.h>

#include "bucardo_machine/json.h"

/* Of those of `names` (an object) that are on both sides and not the same there. */
static json_t *names_that_differ(const json_t *names, json_t *source, const json_t *destination)
{
	json_t *list = json_array(), *print;
	const char *name;

	json_object_foreach(source, name, print)
	{
		const json_t *other = json_object_get(destination, name);
		if (json_object_get(names, name) != NULL && other != NULL &&
				!json_equal(print, other)) {
			json_array_append_new(list, bm_json_text(name));
		}
	}
	return list;
}

static void keep_breaking(const json_t *found, json_t *out)
{
	size_t index;
	json_t *one;

	json_array_foreach(found, index, one)
	{
		if (json_is_true(json_object_get(one, "breaks"))) {
			json_array_append(out, one);
		}
	}
}

static int compare(struct bm_phase *phase, enum bm_side live, const json_t *names, bool exact,
		json_t *out, struct bm_error *err)
{
	json_t *source = bm_drift_definitions(phase, BM_SIDE_SOURCE, names, exact, err);
	json_t *destination = source == NULL
			? NULL
			: bm_drift_definitions(phase, BM_SIDE_DESTINATION, names, exact, err);

	for (size_t i = 0; destination != NULL && i < json_array_size(names); i++) {
		const char *table = json_string_value(json_array_get(names, i));
		bool rewritten;
		json_t *found = json_array();
		bm_drift_compare(table, live, json_object_get(source, table),
				json_object_get(destination, table), exact, found, &rewritten);
		keep_breaking(found, out);
		json_decref(found);
	}
	int rc = destination != NULL ? 0 : -1;
	json_decref(source);
	json_decref(destination);
	return rc;
}

json_t *bm_drift_breaking(struct bm_phase *phase, enum bm_side live, const json_t *names,
		struct bm_error *err)
{
	const PGconn *here = bm_phase_conn(phase, BM_SIDE_SOURCE, err);
	const PGconn *there = here != NULL ? bm_phase_conn(phase, BM_SIDE_DESTINATION, err)
					   : NULL;

	if (there == NULL) {
		return NULL;
	}
	bool exact = PQserverVersion(here) / 10000 == PQserverVersion(there) / 10000;
	json_t *source = bm_drift_fingerprints(phase, BM_SIDE_SOURCE, exact, err);
	json_t *destination = source == NULL
			? NULL
			: bm_drift_fingerprints(phase, BM_SIDE_DESTINATION, exact, err);
	json_t *out = destination != NULL ? json_array() : NULL;

	if (out != NULL) {
		json_t *differ = names_that_differ(names, source, destination);
		if (json_array_size(differ) > 0 &&
				compare(phase, live, differ, exact, out, err) != 0) {
			json_decref(out);
			out = NULL;
		}
		json_decref(differ);
	}
	json_decref(source);
	json_decref(destination);
	return out;
}
