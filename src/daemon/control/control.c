/* The socket of a real machine: server.c with machine.h behind it. */
#include "bucardo_machine/control.h"

#include "daemon/control/host.h"

static const struct bm_control_host machine_host = {
		.status = bm_machine_status,
		.is_ready = bm_machine_is_ready,
		.service = bm_machine_service,
		.migrate = bm_machine_migrate,
		.plan = bm_machine_plan,
		.teardown = bm_machine_teardown,
		.teardown_preview = bm_machine_teardown_preview,
		.change = bm_machine_change,
		.change_check = bm_machine_change_check,
		.doctor = bm_machine_doctor,
		.notified = bm_machine_notified,
		.reload = bm_machine_reload,
		.show_config = bm_machine_show_config,
		.event_after = bm_machine_event_after,
		.on_event = bm_machine_on_event,
};

struct bm_control *bm_control_open(struct bm_loop *loop, const char *path,
		struct bm_machine *machine, struct bm_error *err)
{
	return bm_control_open_host(loop, path, &machine_host, machine, err);
}
