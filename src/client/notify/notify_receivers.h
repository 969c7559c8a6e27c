/*
 * notify_receivers - those who are told, what each was told last, and deliveries
 *
 * A delivery is a program that runs once: the receiver's command, or for a webhook our own
 * `worker notify post`, so that a receiver that hangs holds up nobody. One at a time for each
 * receiver. One that failed is tried again after 5 s, then after twice that, up to 10
 * minutes, without end and with the state of then. What was told is kept on the volume, in
 * notified.json, so that it is told once, also over restarts.
 *
 * Threads: that of the loop.
 */
#ifndef CLIENT_NOTIFY_NOTIFY_RECEIVERS_H
#define CLIENT_NOTIFY_NOTIFY_RECEIVERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

#define NOTIFY_FILE "notified.json"

/* What a delivery finds in its environment, besides what the machine has. */
#define NOTIFY_MESSAGE "BUCARDO_MACHINE_MESSAGE"   /* the JSON */
#define NOTIFY_TEXT "BUCARDO_MACHINE_TEXT"	   /* its member `text` */
#define NOTIFY_RECEIVER "BUCARDO_MACHINE_RECEIVER" /* of a webhook: whom */

struct notify_receivers;

/* From the text of receivers.h; NULL with `err`. */
struct notify_receivers *notify_receivers_create(struct bm_loop *loop, const char *text,
		const char *volume, struct bm_error *err);

/* Deliveries that are under way are ended. NULL is accepted. */
void notify_receivers_destroy(struct notify_receivers *receivers);

/* Told what changed, each when its time has come. `ready`: -1 not known. */
void notify_receivers_tell(struct notify_receivers *receivers, const json_t *states, int ready);

/*
 * A test message to each, or to the one called `name`; then `done` for each of them, with
 * how long it took, and why it failed or "". How many are asked.
 */
typedef void notify_tested(void *ctx, const char *name, uint64_t msec, const char *why);
size_t notify_receivers_test(struct notify_receivers *receivers, const char *name,
		notify_tested *done, void *ctx);

/* How each stands: a list of {"name", "kind", "least", "delivered_at", "failing_since",
 * "failures", "why"}. */
json_t *notify_receivers_list(const struct notify_receivers *receivers);

#endif
