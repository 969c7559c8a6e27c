/* json - texts that others wrote, as JSON. */
#ifndef BUCARDO_MACHINE_JSON_H
#define BUCARDO_MACHINE_JSON_H

struct json_t;

/*
 * `text` as a new JSON string; NULL is "". Servers, files and people write in any
 * encoding, and a limit may have cut a character in two: a byte that is no UTF-8
 * becomes '?', so that an answer comes out in any case.
 */
struct json_t *bm_json_text(const char *text);

#endif
