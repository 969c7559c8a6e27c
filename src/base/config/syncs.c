#include "bucardo_machine/syncs.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

char *bm_sync_name(const char *migration, unsigned number)
{
	return number == 0 ? bm_format("%s_sync", migration)
			   : bm_format("%s_sync_%u", migration, number + 1);
}

bool bm_sync_is_of(const char *sync, const char *migration)
{
	bool found = false;

	for (unsigned i = 0; i < BM_SYNCS_LIMIT && !found; i++) {
		char *name = bm_sync_name(migration, i);
		found = strcmp(sync, name) == 0;
		free(name);
	}
	return found;
}
