/*
 * The only waitpid() of the program. As PID 1 (or subreaper) we inherit every
 * orphan of the container, so we wait for anyone and look the pid up in our own
 * table; that is why nothing here may use uv_spawn(), which would lose its exit
 * callback to this loop. Nothing on the reaping path allocates: a machine out of
 * memory must still reap.
 */
#include "base/event/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"

/* Ended children taken in one iteration: keeps a storm of orphans from delaying a signal. */
#define SHARE_OF_A_TURN 512

struct bm_child {
	pid_t pid;
	bm_exit_cb *cb; /* NULL: nobody asks any more */
	void *ctx;
	bool is_late; /* reaped before it was watched: reported_late() calls and frees it */
	int status;   /* of a late one */
	struct bm_loop *loop;
	struct bm_child *next;
};

static void on_again(uv_idle_t *idle)
{
	bm_reaper_run(idle->data);
}

int bm_reaper_init(struct bm_loop *loop, struct bm_error *err)
{
	(void)err;
	uv_idle_init(&loop->uv, &loop->reaper.again);
	loop->reaper.again.data = loop;
	/* What ended before the signalfd was there (children of whoever exec'ed us). */
	return uv_idle_start(&loop->reaper.again, on_again);
}

void bm_reaper_finish(struct bm_loop *loop)
{
	while (loop->reaper.children != NULL) {
		struct bm_child *next = loop->reaper.children->next;
		free(loop->reaper.children);
		loop->reaper.children = next;
	}
}

static struct bm_child **find(struct bm_loop *loop, pid_t pid)
{
	struct bm_child **link = &loop->reaper.children;

	while (*link != NULL && (*link)->pid != pid) {
		link = &(*link)->next;
	}
	return link;
}

static void unlink_child(struct bm_loop *loop, const struct bm_child *child)
{
	struct bm_child **link = &loop->reaper.children;

	while (*link != NULL && *link != child) {
		link = &(*link)->next;
	}
	if (*link != NULL) {
		*link = child->next;
	}
}

static void release(struct bm_child *child)
{
	child->cb = NULL;
	if (!child->is_late) {
		free(child);
	}
}

static void remember_orphan(struct bm_reaper *reaper, pid_t pid, int status)
{
	reaper->orphans[reaper->orphan_count++ % BM_ORPHANS_KEPT] = (struct bm_orphan){
			pid, status};
}

static void dispatch(struct bm_loop *loop, pid_t pid, int status)
{
	struct bm_child **link = find(loop, pid);
	struct bm_child *child = *link;

	if (child == NULL) {
		remember_orphan(&loop->reaper, pid, status);
		return;
	}
	*link = child->next; /* unlinked first: the callback may start a new child */
	if (child->cb != NULL) {
		child->cb(child->ctx, pid, status);
	}
	release(child);
}

void bm_reaper_run(struct bm_loop *loop)
{
	int status;

	for (int taken = 0; taken < SHARE_OF_A_TURN; taken++) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0) {
			uv_idle_stop(&loop->reaper.again);
			return;
		}
		dispatch(loop, pid, status);
	}
	uv_idle_start(&loop->reaper.again, on_again);
}

struct bm_child *bm_reaper_prepare(bm_exit_cb *cb, void *ctx)
{
	struct bm_child *child = bm_alloc(sizeof(*child));

	child->cb = cb;
	child->ctx = ctx;
	return child;
}

void bm_reaper_add(struct bm_loop *loop, struct bm_child *child, pid_t pid)
{
	struct bm_child **link = find(loop, pid);

	if (*link != NULL) { /* an earlier watch of the same process */
		struct bm_child *old = *link;
		*link = old->next;
		release(old);
	}
	child->pid = pid;
	child->next = loop->reaper.children;
	loop->reaper.children = child;
}

/* The newest orphan of that pid, or NULL. */
static const struct bm_orphan *find_orphan(const struct bm_reaper *reaper, pid_t pid)
{
	uint64_t count = reaper->orphan_count;

	for (uint64_t i = 0; i < BM_ORPHANS_KEPT && i < count; i++) {
		const struct bm_orphan *orphan =
				&reaper->orphans[(count - 1 - i) % BM_ORPHANS_KEPT];
		if (orphan->pid == pid) {
			return orphan;
		}
	}
	return NULL;
}

static void reported_late(void *ctx)
{
	struct bm_child *child = ctx;

	unlink_child(child->loop, child);
	if (child->cb != NULL) {
		child->cb(child->ctx, child->pid, child->status);
	}
	free(child);
}

int bm_child_watch(struct bm_loop *loop, pid_t pid, bm_exit_cb *cb, void *ctx,
		struct bm_error *err)
{
	struct bm_process process;
	struct bm_error ignored;
	bool ours = bm_process_read(pid, &process, &ignored) == 0 && process.parent == getpid();
	const struct bm_orphan *orphan = ours ? NULL : find_orphan(&loop->reaper, pid);

	if (!ours && orphan == NULL) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"process %d is no child of this process", (int)pid);
	}
	struct bm_child *child = bm_reaper_prepare(cb, ctx);
	bm_reaper_add(loop, child, pid);
	if (orphan != NULL) {
		child->is_late = true;
		child->status = orphan->status;
		child->loop = loop;
		bm_loop_defer(loop, reported_late, child);
	}
	return 0;
}

void bm_child_forget(struct bm_loop *loop, pid_t pid)
{
	struct bm_child *child = *find(loop, pid);

	if (child != NULL) {
		child->cb = NULL;
	}
}

uint64_t bm_orphans_reaped(const struct bm_loop *loop)
{
	return loop->reaper.orphan_count;
}
