/* launch - the command that runs Bucardo's master in the foreground. */
#ifndef DAEMON_BUCARDO_LAUNCH_H
#define DAEMON_BUCARDO_LAUNCH_H

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/spawn.h"

/*
 * Start the master as a child of ours; its output goes to `output_fd`. Returns its
 * pid, or -1 with `err`, as bm_spawn().
 */
pid_t launch_master(struct bm_loop *loop, const struct bm_bucardo_options *options,
		const char *piddir, int output_fd, bm_exit_cb *cb, void *ctx,
		struct bm_error *err);

/* Environment of everything of Bucardo's that we run: HOME, PATH, PGPASSFILE, ... */
struct launch_env {
	char *texts[6];
	const char *list[7];
};
void launch_env_init(struct launch_env *env, const struct bm_bucardo_options *options);
void launch_env_finish(struct launch_env *env);

#endif
