/*
 * http_status - members of the status, and its pages as JSON
 *
 * Threads: any.
 */
#ifndef CLIENT_HTTP_HTTP_STATUS_H
#define CLIENT_HTTP_HTTP_STATUS_H

#include <jansson.h>
#include <stdbool.h>

/* A member that is a number, or a boolean as 0 and 1; false: it is null, or not there. */
bool http_status_number(const json_t *object, const char *member, double *out);

bool http_status_is(const json_t *object, const char *member, const char *text);

/* A member that is a time, "2026-11-23T06:00:00.123Z", in seconds since the epoch. */
bool http_status_moment(const json_t *object, const char *member, double *out);

/* The migration of this name, borrowed; NULL: there is none. */
json_t *http_status_migration(const json_t *status, const char *name);

/* The doctor's findings counted, a new array: an object each `rule`, `severity`, `side`, with
 * `count`. */
json_t *http_status_counted(const json_t *findings);

/*
 * A weak ETag of what it says, into `out` (32 bytes): what only time changes, ages and loads,
 * does not count. Who has `since` knows the age.
 */
void http_status_etag(const json_t *page, char *out);

#endif
