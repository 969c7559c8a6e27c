/* The table of workers: `bucardo-machine worker NAME`. */
#include "bucardo_machine/worker.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/apply/apply_run.h"
#include "worker/observe/observe.h"
#include "worker/phases/phase.h"
#include "worker/live/pass.h"

static const struct {
	const char *name;
	int (*run)(void);
} workers[] = {
		{"apply", bm_apply_worker},
		{"observe", bm_observe_run},
		{"phase", bm_phase_run},
		{"reconcile", bm_reconcile_run},
		{"verify", bm_verify_worker_run},
};

int bm_worker_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < BM_COUNT_OF(workers); i++) {
		if (strcmp(workers[i].name, name) == 0) {
			return workers[i].run();
		}
	}
	fprintf(stderr,
			"bucardo-machine: there is no worker '%s'; workers are started by the "
			"machine itself\n",
			name);
	return 2;
}
