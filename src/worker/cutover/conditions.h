/*
 * conditions - the table behind ready.h
 */
#ifndef WORKER_CUTOVER_CONDITIONS_H
#define WORKER_CUTOVER_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/session/sides.h"

struct json_t;

/* The name of that condition, and of what a person accepts by it. */
#define BM_CUTOVER_OBJECTS "large objects"

/* Where it is asked: the side that is left and the one that becomes live, or one of the two
 * whichever it is. */
enum bm_ready_place {
	BM_READY_CONTROL,
	BM_READY_FROM,
	BM_READY_TO,
	BM_READY_SOURCE,
	BM_READY_DESTINATION
};

/*
 * A statement gives either rows of what stands in the way (object, why, hint; none: ready), or
 * one row of state, value, why and hint. It reads settings bucardo_machine.names, .tables,
 * .migration and .budget (sql/ready_settings.sql).
 */
struct bm_ready_row {
	const char *name, *limit;
	enum bm_ready_place place;
	const char *sql;
	const char *feed; /* asked first of the side that is left: its value is $1; NULL none */
	bool takes_phase; /* $1 is cutover or failback */
	bool acceptable;  /* a person may accept an object, or the condition, by its name */
	bool passes;	  /* it may be over in a moment */
	bool looks_twice; /* what was there at the first look is long */
	bool only_both;	  /* with direction forward it is ready, and not asked */
	/* Instead of a statement: sets the members of `condition`; -1 with `err`: unknown. */
	int (*look)(struct bm_phase *phase, struct json_t *condition, struct bm_error *err);
};

extern const struct bm_ready_row bm_ready_rows[];
extern const size_t bm_ready_row_count;

/* So many names stand in a reason. */
#define BM_READY_MOST_NAMED 5

/* Tables that came later, which nothing carries yet (tables.c). */
int bm_cutover_look_at_new(
		struct bm_phase *phase, struct json_t *condition, struct bm_error *err);

/* Tables whose definitions differ so that rows cannot be applied, or mean something else, found
 * now (tables.c). */
int bm_cutover_look_at_drift(
		struct bm_phase *phase, struct json_t *condition, struct bm_error *err);

/* Whether tables without a key can be copied again within the budget (keyless.c). */
int bm_cutover_look_at_keyless(
		struct bm_phase *phase, struct json_t *condition, struct bm_error *err);

/* Whether large objects can be kept from being written, and copied again, within it
 * (large_objects.c). */
int bm_cutover_look_at_objects(
		struct bm_phase *phase, struct json_t *condition, struct bm_error *err);

/* The names of the captured tables; what the other questions need, at a side and in the control
 * database. */
extern const char bm_ready_tables_sql[], bm_ready_settings_sql[], bm_ready_control_sql[];

/* Of the side that is left: table, why and hint of those that changed behind our triggers. It
 * reads setting bucardo_machine.migration. */
extern const char bm_ready_captured_sql[];

#endif
