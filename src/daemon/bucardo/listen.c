/*
 * listen - what is said about single syncs in the control database
 *
 * The master and the program `bucardo` talk by NOTIFY, a channel for each word and sync.
 * We hear when a person pauses, activates or deactivates one, and when a run has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"

/* PostgreSQL cuts longer names, on both sides. */
#define CHANNEL_BYTES 63

static const struct {
	const char *channel; /* the sync's name follows */
	void (*receive)(struct bm_bucardo *bucardo, struct evaluated_sync *sync);
} words[] = {
		{"bucardo_pause_sync_", pause_begins},
		{"bucardo_resume_sync_", pause_ends},
		{"bucardo_activate_sync_", wish_active},
		{"bucardo_deactivate_sync_", wish_inactive},
		{"bucardo_syncdone_", repair_run_ended},
};

static void on_listening(void *ctx, const struct bm_result *result)
{
	(void)ctx;
	if (result->error != NULL) {
		bm_log(BM_LOG_WARN, BUCARDO_AREA,
				BM_FIELDS(bm_str("err", result->error->message)),
				"cannot receive what is said about the syncs");
	}
}

void listen_begin(struct bm_bucardo *bucardo)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		for (size_t word = 0; word < BM_COUNT_OF(words); word++) {
			char *channel = bm_format("%s%s", words[word].channel,
					bucardo->evaluation.syncs[i].name);
			bm_strbuf_puts(&sql, "LISTEN ");
			bm_quote_ident(&sql, channel);
			bm_strbuf_puts(&sql, "; ");
			free(channel);
		}
	}
	if (sql.length > 0) {
		bm_conn_query(bucardo->conn, bm_strbuf_text(&sql), NULL, 0, on_listening, NULL);
	}
	bm_strbuf_finish(&sql);
}

static bool is_channel(const char *channel, const char *word, const char *sync)
{
	char *name = bm_format("%s%s", word, sync);
	bool same = strncmp(name, channel, CHANNEL_BYTES) == 0;

	free(name);
	return same;
}

void listen_receive(struct bm_bucardo *bucardo, const char *channel)
{
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		struct evaluated_sync *sync = &bucardo->evaluation.syncs[i];
		for (size_t word = 0; word < BM_COUNT_OF(words); word++) {
			if (is_channel(channel, words[word].channel, sync->name)) {
				words[word].receive(bucardo, sync);
			}
		}
	}
}
