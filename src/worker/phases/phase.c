/* The table of phases. */
#include "worker/phases/phase.h"

#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/capture/capture.h"
#include "worker/cutover/cutover.h"
#include "worker/doctor/doctor.h"
#include "worker/preflight/preflight.h"
#include "worker/session/serve.h"
#include "worker/phases/teardown.h"

static const struct {
	const char *name;
	int (*run)(struct bm_phase *phase, struct bm_error *err);
} phases[] = {
		{"preflight", bm_preflight_run},
		{"schema", bm_transfer_phase_run},
		{"capture", bm_capture_run},
		{"copy", bm_transfer_phase_run},
		{"index", bm_transfer_phase_run},
		{"replicate", bm_replicate_run},
		{"cutover", bm_cutover_run},
		{"failback", bm_cutover_run},
		{"accept", bm_accept_run},
		{"doctor", bm_doctor_run},
		{"teardown", bm_teardown_run},
};

static int run_phase(struct bm_phase *phase, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(phases); i++) {
		if (strcmp(phases[i].name, phase->request.phase) == 0) {
			return phases[i].run(phase, err);
		}
	}
	return bm_error_set(err, BM_ERR_INTERNAL, "there is no phase '%.64s'",
			phase->request.phase);
}

int bm_phase_run(void)
{
	return bm_phase_serve("phase", true, run_phase);
}
