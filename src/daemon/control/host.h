/*
 * host - what control needs of the machine, as a table
 *
 * The rows are machine.h's functions; the integration tests put a small fake
 * there instead, so that the socket can be tried without databases.
 */
#ifndef DAEMON_CONTROL_HOST_H
#define DAEMON_CONTROL_HOST_H

#include "bucardo_machine/control.h"
#include "bucardo_machine/receivers.h"

struct bm_control_host {
	void (*status)(struct bm_machine *machine, struct bm_status *out);
	bool (*is_ready)(struct bm_machine *machine, const char **why);
	int (*service)(struct bm_machine *machine, enum bm_service_verb verb, const char *unit,
			const char *by, struct bm_error *err);
	int (*migrate)(struct bm_machine *machine, enum bm_migrate_verb verb, const char *name,
			enum bm_phase until, const char *by, struct bm_error *err);
	char *(*plan)(struct bm_machine *machine, const char *name, bool fix,
			struct bm_error *err);
	int (*teardown)(struct bm_machine *machine, const char *name, const char *without,
			const char *by, struct bm_error *err);
	char *(*teardown_preview)(
			struct bm_machine *machine, const char *name, struct bm_error *err);
	int (*change)(struct bm_machine *machine, const char *name,
			const struct bm_change *change, const char *by, uint64_t *number,
			struct bm_error *err);
	char *(*change_check)(struct bm_machine *machine, const char *name,
			const struct bm_change *change, struct bm_error *err);
	char *(*doctor)(struct bm_machine *machine, const char *name, struct bm_error *err);
	void (*notified)(struct bm_machine *machine, const struct bm_receiver_report *reports,
			size_t count);
	int (*reload)(struct bm_machine *machine, struct bm_strbuf *errors);
	void (*show_config)(struct bm_machine *machine, struct bm_strbuf *out);
	bool (*event_after)(struct bm_machine *machine, uint64_t after,
			struct bm_machine_event *out);
	void (*on_event)(struct bm_machine *machine, void (*cb)(void *ctx), void *ctx);
};

/* As bm_control_open(); `host` is borrowed. */
struct bm_control *bm_control_open_host(struct bm_loop *loop, const char *path,
		const struct bm_control_host *host, struct bm_machine *machine,
		struct bm_error *err);

#endif
