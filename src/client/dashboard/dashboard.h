/*
 * dashboard - the files of the page at "/", as they are sent
 *
 * They stand in page/ and are embedded when the program is built, compressed with gzip
 * (scripts/embed-page), beside dygraphs from Debian's package. Nothing else is ever loaded by
 * the page: it works without a network but the one that leads here. What it shows it asks for
 * from /api; the files themselves hold no secret, and nothing of this machine.
 *
 * Ownership: all of it is constant. Threads: any.
 */
#ifndef CLIENT_DASHBOARD_DASHBOARD_H
#define CLIENT_DASHBOARD_DASHBOARD_H

#include <stddef.h>

struct dashboard_file {
	const char *path; /* "/", "/dashboard/app.js" */
	const char *type;
	const char *etag; /* strong, with its quotes */
	size_t length;	  /* of `gzip`, bytes */
	const char *gzip;
};

/* What it may load, and from where: itself. Content-Security-Policy. */
extern const char dashboard_policy[];

/* The file of a path; NULL: there is none. */
const struct dashboard_file *dashboard_find(const char *path);

#endif
