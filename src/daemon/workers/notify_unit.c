/* The command line of `worker notify` (client/notify/notify_worker.c), and its policy. */
#include "daemon/workers/notify_unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/receivers.h"

/* A delivery that is under way is begun again by the next one. */
#define START_MSEC 30000
#define STOP_MSEC 1000

bool bm_notify_unit_is_same(const struct bm_config *a, const struct bm_config *b)
{
	char *left = bm_receivers_text(a), *right = bm_receivers_text(b);
	bool same = strcmp(left, right) == 0;

	free(left);
	free(right);
	return same;
}

void bm_notify_unit_fill(struct bm_notify_unit *unit, const struct bm_config *config,
		const char *runtime, const char *volume)
{
	const char *const argv[] = {
			"/proc/self/exe", "worker", "notify", runtime, volume, NULL};
	char *text = bm_receivers_text(config);

	memcpy(unit->argv, argv, sizeof(argv));
	unit->receivers = bm_format(BM_RECEIVERS_VARIABLE "=%s", text);
	free(text);
	unit->env[0] = unit->receivers;
	unit->env[1] = NULL;
	unit->policy = (struct bm_unit_policy){
			.start_timeout_msec = START_MSEC,
			.stop_gently_msec = STOP_MSEC,
			.stop_firmly_msec = STOP_MSEC,
			.backoff_first_msec = config->backoff_first_msec,
			.backoff_limit_msec = config->backoff_limit_msec,
			.stable_after_msec = config->stable_after_msec,
	};
	unit->spec = (struct bm_program_spec){
			.name = BM_NOTIFY_UNIT,
			.argv = unit->argv,
			.env = unit->env,
			.gentle_signal = SIGTERM,
			.firm_signal = SIGKILL,
			.probe = BM_PROBE_NONE,
	};
}

void bm_notify_unit_finish(struct bm_notify_unit *unit)
{
	free(unit->receivers);
	unit->receivers = NULL;
}
