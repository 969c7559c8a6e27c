/* The command line of `worker notify` (client/notify/notify_worker.c), and its policy. */
#include "daemon/workers/notify_unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/receivers.h"
#include "daemon/workers/client_policy.h"

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
	unit->policy = bm_client_policy(config);
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
