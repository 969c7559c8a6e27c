/*
 * children - VAC, CTL and KID of the tree, watched so that losing one costs nothing
 *
 * Bucardo replaces a CTL or KID by itself, within ctl_checkonkids_time, but the
 * kick that the KID was to act on is lost with it: it is given again. A VAC that
 * was killed is never replaced, because its pid file stays: we remove it, and the
 * master starts another within mcp_vactime.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

static void member_free(struct children_member *member)
{
	bm_pidfd_watch_close(member->watch);
	free(member);
}

static void on_member_gone(void *ctx, pid_t pid)
{
	struct children_member *member = ctx;
	struct bm_bucardo *bucardo = member->bucardo;
	bool wanted = bucardo->daemon.phase == DAEMON_RUNNING && !bucardo->daemon.stopping &&
			!bucardo->daemon.operator_stop;

	bm_pidfd_watch_close(member->watch);
	member->watch = NULL;
	if (!wanted) {
		return;
	}
	bm_log(BM_LOG_DEBUG, BUCARDO_AREA,
			BM_FIELDS(bm_int("pid", pid), bm_str("sync", member->sync)), "%s ended",
			bucardo_role_name(member->role));
	if (member->role == BUCARDO_VAC && tree_remove_vac_file(bucardo->piddir, pid)) {
		bucardo_event(bucardo, BM_BUCARDO_NOTE,
				"the VAC (pid %d) died; the master starts another", (int)pid);
	}
	struct evaluated_sync *sync = evaluate_find(bucardo, member->sync);
	if (member->role == BUCARDO_KID && sync != NULL) {
		sync->was_lost = true;
	}
	if (member->role == BUCARDO_CTL && sync != NULL) {
		sync->served_msec = bm_clock_msec();
	}
	children_rescan(bucardo);
}

/* A KID that takes the place of a lost one does not know what was to be done. A
 * sync that fails again and again is left to Bucardo's own retries. */
static void on_new_kid(struct bm_bucardo *bucardo, const char *name)
{
	struct evaluated_sync *sync = evaluate_find(bucardo, name);

	if (sync == NULL || !sync->was_lost) {
		return;
	}
	sync->was_lost = false;
	if (sync->autokick && sync->health != BM_HEALTH_FAILING) {
		repair_kick(bucardo, sync, "its KID was replaced");
	}
}

static void add_member(struct bm_bucardo *bucardo, const struct tree_file *file)
{
	struct bm_process process;
	enum bucardo_role role;

	if (bm_process_read(file->pid, &process, NULL) != 0 || process.state == 'Z' ||
			!bucardo_title_role(process.title, &role)) {
		return; /* dead, or just forked and not named yet: seen again soon */
	}
	struct children_member *member = bm_alloc(sizeof(*member));
	*member = (struct children_member){
			.role = file->role, .pid = file->pid, .bucardo = bucardo};
	memcpy(member->sync, file->sync, sizeof(member->sync));
	member->watch = bm_pidfd_watch_create(bucardo->loop, file->pid, process.start_time,
			on_member_gone, member, NULL);
	if (member->watch == NULL) {
		free(member);
		return;
	}
	member->next = bucardo->children.members;
	bucardo->children.members = member;
	if (member->role == BUCARDO_KID) {
		on_new_kid(bucardo, member->sync);
	}
}

static bool take_file(void *ctx, const struct tree_file *file)
{
	struct bm_bucardo *bucardo = ctx;

	if (file->role == BUCARDO_MCP || file->pid == 0) {
		return true;
	}
	for (struct children_member *m = bucardo->children.members; m != NULL; m = m->next) {
		if (m->pid == file->pid && m->role == file->role && m->watch != NULL) {
			return true;
		}
	}
	add_member(bucardo, file);
	return true;
}

static void drop_ended(struct children *children)
{
	for (struct children_member **at = &children->members; *at != NULL;) {
		struct children_member *member = *at;
		if (member->watch == NULL) {
			*at = member->next;
			free(member);
		} else {
			at = &member->next;
		}
	}
}

void children_rescan(struct bm_bucardo *bucardo)
{
	drop_ended(&bucardo->children);
	tree_each_file(bucardo->piddir, take_file, bucardo);
	served_record(bucardo);
	if (children_has(bucardo, BUCARDO_VAC, "")) {
		bucardo->children.vac_seen_msec = bm_clock_msec();
	}
}

bool children_has(const struct bm_bucardo *bucardo, enum bucardo_role role, const char *sync)
{
	for (const struct children_member *m = bucardo->children.members; m != NULL;
			m = m->next) {
		if (m->role == role && m->watch != NULL && strcmp(m->sync, sync) == 0) {
			return true;
		}
	}
	return false;
}

static void on_folder(void *ctx, const char *name)
{
	struct bm_bucardo *bucardo = ctx;

	(void)name;
	daemon_piddir_changed(bucardo);
	children_rescan(bucardo);
}

int children_open(struct bm_bucardo *bucardo, struct bm_error *err)
{
	if (bucardo->children.folder == NULL) {
		bucardo->children.folder = bm_folder_watch_create(
				bucardo->loop, bucardo->piddir, on_folder, bucardo, err);
	}
	return bucardo->children.folder != NULL ? 0 : -1;
}

void children_close(struct bm_bucardo *bucardo)
{
	bm_folder_watch_close(bucardo->children.folder);
	bucardo->children.folder = NULL;
	while (bucardo->children.members != NULL) {
		struct children_member *member = bucardo->children.members;
		bucardo->children.members = member->next;
		member_free(member);
	}
}
