/* One policy for all of them. */
#include "daemon/workers/client_policy.h"

/* Each says what is wrong at once. */
#define START_MSEC 30000
#define STOP_MSEC 1000

struct bm_unit_policy bm_client_policy(const struct bm_config *config)
{
	return (struct bm_unit_policy){
			.start_timeout_msec = START_MSEC,
			.stop_gently_msec = STOP_MSEC,
			.stop_firmly_msec = STOP_MSEC,
			.backoff_first_msec = config->backoff_first_msec,
			.backoff_limit_msec = config->backoff_limit_msec,
			.stable_after_msec = config->stable_after_msec,
	};
}
