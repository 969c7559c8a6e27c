/* From a row of bucardo.db to the parameters of a connection. */
#include "worker/session/conninfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/* Used for what the row does not say. A silent network is noticed within 10 s. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
		{"connect_timeout", "5"},
		{"keepalives", "1"},
		{"keepalives_idle", "5"},
		{"keepalives_interval", "2"},
		{"keepalives_count", "3"},
		{"tcp_user_timeout", "8000"},
		{"application_name", "bucardo-machine observe"},
};

/* DBD::Pg makes the DSN's semicolons outside quotes into spaces; so do we. */
static char *dsn_to_conninfo(const char *dbconn)
{
	char *text = bm_strdup(dbconn);
	bool quoted = false;

	for (char *c = text; *c != '\0'; c++) {
		if (*c == '\\' && c[1] != '\0') {
			c++;
		} else if (*c == '\'') {
			quoted = !quoted;
		} else if (*c == ';' && !quoted) {
			*c = ' ';
		}
	}
	return text;
}

static int put_dbconn(struct bm_conninfo *info, const char *dbconn, struct bm_error *err)
{
	char *text = dsn_to_conninfo(dbconn);
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &message);

	explicit_bzero(text, strlen(text));
	free(text);
	PQfreemem(message);
	if (options == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"its connection settings (column dbconn of bucardo.db) "
				"cannot be parsed: expected keyword=value pairs separated "
				"by semicolons");
	}
	for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
		bm_conninfo_put(info, option->keyword, option->val);
	}
	PQconninfoFree(options);
	return 0;
}

void bm_conninfo_defaults(struct bm_conninfo *info)
{
	for (size_t i = 0; i < BM_COUNT_OF(defaults); i++) {
		if (bm_conninfo_get(info, defaults[i].keyword) == NULL) {
			bm_conninfo_put(info, defaults[i].keyword, defaults[i].value);
		}
	}
	bm_conninfo_put(info, "client_encoding", "UTF8");
}

int bm_conninfo_build(const struct bm_conninfo_row *row, struct bm_conninfo *out,
		struct bm_error *err)
{
	*out = (struct bm_conninfo){0};
	bm_conninfo_put(out, "service", row->service);
	bm_conninfo_put(out, "host", row->host);
	bm_conninfo_put(out, "port", row->port);
	bm_conninfo_put(out, "dbname", row->dbname);
	if (row->dbconn != NULL && put_dbconn(out, row->dbconn, err) != 0) {
		return -1;
	}
	bm_conninfo_put(out, "user", row->user);
	bm_conninfo_put(out, "password", row->password);
	bm_conninfo_defaults(out);
	return 0;
}
