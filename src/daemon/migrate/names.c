/* The words for what the engine distinguishes: in the journal, in status, in the protocol. */
#include "bucardo_machine/migrate.h"

#include "bucardo_machine/macros.h"

#define NAME_OF(names, value) ((size_t)(value) < BM_COUNT_OF(names) ? names[value] : "unknown")

const char *bm_migration_status_name(enum bm_migration_status status)
{
	static const char *const names[] = {
			[BM_MIGRATION_WAITING] = "waiting",
			[BM_MIGRATION_RUNNING] = "running",
			[BM_MIGRATION_PAUSED] = "paused",
			[BM_MIGRATION_FAILED] = "failed",
			[BM_MIGRATION_DONE] = "done",
	};
	static_assert(BM_COUNT_OF(names) == BM_MIGRATION_STATUS_COUNT, "a status has no name");

	return NAME_OF(names, status);
}

const char *bm_record_state_name(enum bm_record_state state)
{
	static const char *const names[] = {
			[BM_RECORD_PENDING] = "pending",
			[BM_RECORD_BEGUN] = "begun",
			[BM_RECORD_FAILED] = "failed",
			[BM_RECORD_DONE] = "done",
	};
	static_assert(BM_COUNT_OF(names) == BM_RECORD_STATE_COUNT, "a state has no name");

	return NAME_OF(names, state);
}
