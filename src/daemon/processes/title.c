/* title - see title.h. The texts are those of Bucardo 5.6's start_mcp, fork_vac,
 * start_controller and start_kid; `ps` and pg_stat_activity show them too. */
#include "daemon/processes/title.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"

static const struct {
	const char *name, *title, *file;
} roles[BUCARDO_ROLE_COUNT] = {
		[BUCARDO_MCP] = {"MCP", "Bucardo Master Control Program", "bucardo.mcp.pid"},
		[BUCARDO_VAC] = {"VAC", "Bucardo VAC.", "bucardo.vac.pid"},
		[BUCARDO_CTL] = {"CTL", "Bucardo Controller.", "bucardo.ctl.sync."},
		[BUCARDO_KID] = {"KID", "Bucardo Kid.", "bucardo.kid.sync."},
};

const char *bucardo_role_name(enum bucardo_role role)
{
	return roles[role].name;
}

bool bucardo_title_role(const char *title, enum bucardo_role *role)
{
	for (size_t i = 0; i < BM_COUNT_OF(roles); i++) {
		if (bm_text_begins(title, roles[i].title)) {
			if (role != NULL) {
				*role = (enum bucardo_role)i;
			}
			return true;
		}
	}
	return false;
}

const char *bucardo_title_syncs(const char *title)
{
	static const char marker[] = "Active syncs:";

	if (!bm_text_begins(title, roles[BUCARDO_MCP].title)) {
		return NULL;
	}
	const char *found = strstr(title, marker);
	if (found == NULL) {
		return NULL;
	}
	found += strlen(marker);
	return found + strspn(found, " ");
}

/* What stands between the prefix and ".pid" into `sync`. */
static bool sync_of_file(const char *rest, char *sync, size_t sync_size)
{
	size_t length = strlen(rest);

	if (length <= strlen(".pid") || strcmp(rest + length - strlen(".pid"), ".pid") != 0) {
		return false;
	}
	length -= strlen(".pid");
	if (length >= sync_size) {
		return false;
	}
	memcpy(sync, rest, length);
	sync[length] = '\0';
	return true;
}

bool bucardo_pid_file_name(
		const char *name, enum bucardo_role *role, char *sync, size_t sync_size)
{
	for (size_t i = 0; i < BM_COUNT_OF(roles); i++) {
		bool per_sync = i == BUCARDO_CTL || i == BUCARDO_KID;
		*role = (enum bucardo_role)i;
		sync[0] = '\0';
		if (!per_sync && strcmp(name, roles[i].file) == 0) {
			return true;
		}
		if (per_sync && bm_text_begins(name, roles[i].file)) {
			return sync_of_file(name + strlen(roles[i].file), sync, sync_size);
		}
	}
	return false;
}

pid_t bucardo_pid_file_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return end != text && pid > 1 && pid < 0x7fffffff ? (pid_t)pid : 0;
}
