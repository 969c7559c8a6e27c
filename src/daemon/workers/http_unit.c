/* The command line of `worker http` (client/http/http_worker.c), and its policy. */
#include "daemon/workers/http_unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/workers/client_policy.h"

static const char *or_none(const char *text)
{
	return text != NULL ? text : "";
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(or_none(a), or_none(b)) == 0;
}

const char *bm_http_unit_listen(const struct bm_config *config, const char *fallback)
{
	const char *at = config->http_listen != NULL ? config->http_listen : or_none(fallback);

	return at[0] == '\0' || strcmp(at, "none") == 0 ? NULL : at;
}

bool bm_http_unit_is_same(
		const struct bm_config *a, const struct bm_config *b, const char *fallback)
{
	return is_same(bm_http_unit_listen(a, fallback), bm_http_unit_listen(b, fallback)) &&
			is_same(a->http_token_file, b->http_token_file) &&
			is_same(a->http_certificate, b->http_certificate) &&
			is_same(a->http_key, b->http_key);
}

void bm_http_unit_fill(struct bm_http_unit *unit, const struct bm_config *config,
		const char *at, const char *runtime, const char *socket_dir)
{
	const char *const argv[] = {"/proc/self/exe", "worker", "http", at, runtime, socket_dir,
			or_none(config->http_token_file), or_none(config->http_certificate),
			or_none(config->http_key), NULL};

	memcpy(unit->argv, argv, sizeof(argv));
	snprintf(unit->probe, sizeof(unit->probe), "%s%s", at[0] == ':' ? "127.0.0.1" : "", at);
	unit->policy = bm_client_policy(config);
	unit->spec = (struct bm_program_spec){
			.name = BM_HTTP_UNIT,
			.argv = unit->argv,
			.gentle_signal = SIGTERM,
			.firm_signal = SIGKILL,
			.probe = BM_PROBE_TCP,
			.probe_tcp = unit->probe,
			.probe_interval_msec = 100,
	};
}
