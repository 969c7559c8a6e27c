/* A small list, a row a sync. */
#include "client/http/http_lag.h"

#include <stddef.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

/* More syncs than a control database has; others have no lag after that. */
#define LIMIT 10000

struct row {
	char *sync;
	bool is_now;
	uint64_t applied_msec; /* up to then all is applied */
	uint64_t lag_msec;
};

static struct row *rows;
static size_t count;

static struct row *find(const char *sync)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].sync, sync) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

void http_lag_keep(const char *sync, bool is_now, uint64_t taken_msec, uint64_t lag_msec)
{
	struct row *row = sync != NULL ? find(sync) : NULL;

	if (row == NULL) {
		if (sync == NULL || count >= LIMIT) {
			return;
		}
		rows = bm_realloc(rows, count + 1, sizeof(*rows));
		row = &rows[count++];
		row->sync = bm_strdup(sync);
	}
	row->is_now = is_now;
	row->lag_msec = lag_msec;
	row->applied_msec = taken_msec > lag_msec ? taken_msec - lag_msec : 0;
}

void http_lag_lost(const char *sync)
{
	struct row *row = sync != NULL ? find(sync) : NULL;

	if (row != NULL) {
		row->is_now = false;
	}
}

bool http_lag(const char *sync, uint64_t now_msec, double *out)
{
	const struct row *row = sync != NULL ? find(sync) : NULL;

	if (row == NULL) {
		return false;
	}
	uint64_t lag = row->is_now ? row->lag_msec : now_msec - row->applied_msec;
	*out = (double)lag / 1000;
	return true;
}
