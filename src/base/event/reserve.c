/*
 * Three descriptors kept back (a pidfd, a folder of /proc, a file in it), so that
 * when all others are used up a process can still be looked at and signalled: an
 * ordered stop must not fail for lack of them.
 * They belong to the process, not to a loop, as its descriptor limit does.
 */
#include "base/event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"

static int reserve[3] = {-1, -1, -1};

void bm_reserve_fill(void)
{
	int saved_errno = errno;

	for (size_t i = 0; i < BM_COUNT_OF(reserve); i++) {
		if (reserve[i] < 0) {
			reserve[i] = open("/", O_PATH | O_CLOEXEC);
		}
	}
	errno = saved_errno;
}

bool bm_reserve_lend(void)
{
	bool lent = false;

	if (errno != EMFILE && errno != ENFILE) {
		return false;
	}
	for (size_t i = 0; i < BM_COUNT_OF(reserve); i++) {
		if (reserve[i] >= 0) {
			close(reserve[i]);
			reserve[i] = -1;
			lent = true;
		}
	}
	return lent;
}
