/*
 * Preloaded into a daemon that runs under valgrind, where /proc/self/exe is valgrind itself:
 * what the daemon starts of its own program is then this program, SELF, and not traced.
 */
#include <string.h>
#include <unistd.h>

int execvp(const char *file, char *const argv[])
{
	return execvpe(strcmp(file, "/proc/self/exe") == 0 ? SELF : file, argv, environ);
}
