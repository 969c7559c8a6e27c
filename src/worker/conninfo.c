/* From a row of bucardo.db to the parameters of a connection. */
#include "worker/conninfo.h"

#include <libpq-fe.h>
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

static void put(struct bm_conninfo *info, const char *keyword, const char *value)
{
	if (value == NULL || value[0] == '\0') {
		return;
	}
	for (size_t i = 0; i < info->count; i++) {
		if (strcmp(info->keywords[i], keyword) == 0) {
			free(info->values[i]);
			info->values[i] = bm_strdup(value);
			return;
		}
	}
	if (info->count < BM_CONNINFO_MAX) {
		info->keywords[info->count] = bm_strdup(keyword);
		info->values[info->count++] = bm_strdup(value);
	}
}

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
		put(info, option->keyword, option->val);
	}
	PQconninfoFree(options);
	return 0;
}

int bm_conninfo_build(const struct bm_conninfo_row *row, struct bm_conninfo *out,
		struct bm_error *err)
{
	*out = (struct bm_conninfo){0};
	put(out, "service", row->service);
	put(out, "host", row->host);
	put(out, "port", row->port);
	put(out, "dbname", row->dbname);
	if (row->dbconn != NULL && put_dbconn(out, row->dbconn, err) != 0) {
		return -1;
	}
	put(out, "user", row->user);
	put(out, "password", row->password);
	for (size_t i = 0; i < BM_COUNT_OF(defaults); i++) {
		if (bm_conninfo_get(out, defaults[i].keyword) == NULL) {
			put(out, defaults[i].keyword, defaults[i].value);
		}
	}
	put(out, "client_encoding", "UTF8");
	return 0;
}

void bm_conninfo_finish(struct bm_conninfo *info)
{
	for (size_t i = 0; i < info->count; i++) {
		explicit_bzero(info->values[i], strlen(info->values[i]));
		free(info->values[i]);
		free(info->keywords[i]);
	}
	*info = (struct bm_conninfo){0};
}

bool bm_conninfo_equal(const struct bm_conninfo *a, const struct bm_conninfo *b)
{
	bool equal = a->count == b->count;

	for (size_t i = 0; equal && i < a->count; i++) {
		equal = strcmp(a->keywords[i], b->keywords[i]) == 0 &&
				strcmp(a->values[i], b->values[i]) == 0;
	}
	return equal;
}

void bm_conninfo_copy(const struct bm_conninfo *info, struct bm_conninfo *out)
{
	*out = (struct bm_conninfo){0};
	for (size_t i = 0; i < info->count; i++) {
		put(out, info->keywords[i], info->values[i]);
	}
}

const char *bm_conninfo_get(const struct bm_conninfo *info, const char *keyword)
{
	for (size_t i = 0; i < info->count; i++) {
		if (strcmp(info->keywords[i], keyword) == 0) {
			return info->values[i];
		}
	}
	return NULL;
}
