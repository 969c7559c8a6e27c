/* How a process ended, for people and for shells. */
#include "bucardo_machine/spawn.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *bm_exit_text(int status, char *out)
{
	if (!WIFSIGNALED(status)) {
		snprintf(out, BM_EXIT_TEXT_SIZE, "exit code %d", WEXITSTATUS(status));
		return out;
	}
	int signo = WTERMSIG(status);
	const char *name = sigabbrev_np(signo);
	const char *core = WCOREDUMP(status) ? " (core dumped)" : "";
	if (name != NULL) {
		snprintf(out, BM_EXIT_TEXT_SIZE, "killed by SIG%s%s", name, core);
	} else {
		snprintf(out, BM_EXIT_TEXT_SIZE, "killed by signal %d%s", signo, core);
	}
	return out;
}

int bm_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
