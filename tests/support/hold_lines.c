/*
 * Preloaded into a machine: a worker whose line of progress has the words that are in the file
 * FOLDER/at waits, once the line is out, until that file is gone. That it waits says
 * FOLDER/held.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_USEC 1000

static int reads(char *words, size_t size)
{
	int fd = open(FOLDER "/at", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, words, size - 1) : -1;

	if (fd >= 0) {
		close(fd);
	}
	words[length > 0 ? length : 0] = '\0';
	return length > 0;
}

int puts(const char *line)
{
	static int (*real)(const char *);
	char words[200], ours[200];

	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "puts");
	}
	int rc = real(line);
	if (strstr(line, "\"event\":\"progress\"") == NULL || !reads(words, sizeof(words)) ||
			strstr(line, words) == NULL) {
		return rc;
	}
	fflush(stdout);
	close(open(FOLDER "/held", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	while (reads(ours, sizeof(ours)) && strcmp(words, ours) == 0) {
		usleep(PAUSE_USEC);
	}
	return rc;
}
