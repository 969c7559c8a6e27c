/* reaper - the yardstick: the least that is an init. `reaper COMMAND [WORD...]` */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		return 2;
	}
	pid_t command = fork();
	if (command == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	while (waitpid(-1, &status, 0) != command) {
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
