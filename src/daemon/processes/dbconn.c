/*
 * dbconn - see dbconn.h
 *
 * Without these a peer that falls silent holds a KID in poll() for about 15
 * minutes (TCP retransmission), and an idle session for two hours. dbconn is
 * the only way to reach libpq: Bucardo appends it to the DSN behind a ';'.
 */
#include "daemon/processes/dbconn.h"

#include <ctype.h>
#include <string.h>

#include "bucardo_machine/macros.h"

static const struct {
	const char *name, *value;
} limits[] = {
		{"connect_timeout", "5"},
		{"tcp_user_timeout", "10000"}, /* msec; what was sent and not acknowledged */
		{"keepalives_idle", "5"},      /* an idle session notices within 5 + 3 * 2 s */
		{"keepalives_interval", "2"},
		{"keepalives_count", "3"},
};

/* True if `name` is set in a list of NAME=VALUE separated by ';' or blanks. */
static bool is_set(const char *dbconn, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = strstr(dbconn, name); at != NULL; at = strstr(at + 1, name)) {
		bool begins = at == dbconn || at[-1] == ';' || isspace((unsigned char)at[-1]);
		const char *rest = at + length;
		rest += strspn(rest, " ");
		if (begins && *rest == '=') {
			return true;
		}
	}
	return false;
}

bool bucardo_dbconn_merge(const char *dbconn, struct bm_strbuf *out)
{
	struct bm_strbuf added = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(limits); i++) {
		if (!is_set(dbconn, limits[i].name)) {
			bm_strbuf_printf(&added, "%s%s=%s", added.length > 0 ? ";" : "",
					limits[i].name, limits[i].value);
		}
	}
	if (added.length == 0) {
		return false;
	}
	size_t kept = strlen(dbconn);
	while (kept > 0 &&
			(dbconn[kept - 1] == ';' || isspace((unsigned char)dbconn[kept - 1]))) {
		kept--;
	}
	bm_strbuf_add(out, dbconn, kept);
	bm_strbuf_printf(out, "%s%s", kept > 0 ? ";" : "", bm_strbuf_text(&added));
	bm_strbuf_finish(&added);
	return true;
}
