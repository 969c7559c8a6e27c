/* The rules that involve more than one key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "base/config/load.h"

static void check_backoff(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	const struct bm_node *section = bm_tree_find(root, "supervision");
	const struct bm_node *first = bm_tree_find(section, "backoff_first");
	const struct bm_node *limit = bm_tree_find(section, "backoff_limit");
	const struct bm_node *at = first != NULL ? first : limit;

	if (at != NULL && config->backoff_first_msec > config->backoff_limit_msec) {
		bm_report_error(report, at->line, at->column,
				at == first ? "supervision.backoff_first"
					    : "supervision.backoff_limit",
				"backoff_first (%" PRIu64 "ms) is above backoff_limit (%" PRIu64
				"ms); the first wait is at most the limit",
				config->backoff_first_msec, config->backoff_limit_msec);
	}
}

static void check_checktime(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	const struct bm_node *at = bm_tree_find(bm_tree_find(root, "bucardo"), "checktime");

	if (at != NULL && config->checktime_msec % 1000 != 0) {
		bm_report_error(report, at->line, at->column, "bucardo.checktime",
				"found %" PRIu64
				"ms; allowed: whole seconds, as Bucardo counts",
				config->checktime_msec);
	}
}

/* PostgreSQL does not tell A from a. */
static void check_settings(const struct bm_node *root, struct bm_report *report)
{
	const struct bm_node *settings = bm_tree_find(
			bm_tree_find(root, "postgres"), "settings");
	char path[128];

	if (settings == NULL || settings->kind != BM_NODE_MAP) {
		return;
	}
	for (const struct bm_node *node = settings->first; node != NULL; node = node->next) {
		const struct bm_node *other = settings->first;
		while (other != node &&
				(strcasecmp(other->name, node->name) != 0 ||
						strcmp(other->name, node->name) == 0)) {
			other = other->next;
		}
		if (other != node) {
			snprintf(path, sizeof(path), "postgres.settings.%s", node->name);
			bm_report_error(report, node->name_line, node->name_column, path,
					"the same setting as '%s' in line %zu; each once",
					other->name, other->name_line);
		}
	}
}

/* A certificate is of no use without its key. */
static void check_tls(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	const struct bm_node *tls = bm_tree_find(bm_tree_find(root, "http"), "tls");

	if (tls != NULL && (config->http_certificate == NULL) != (config->http_key == NULL)) {
		bm_report_error(report, tls->line, tls->column, "http.tls",
				"one of certificate and key alone; both, or neither");
	}
}

static void check_ready(const struct bm_node *unit, size_t index, struct bm_report *report)
{
	const struct bm_node *ready = bm_tree_find(unit, "ready");
	bool tcp = bm_tree_find(ready, "tcp") != NULL;
	bool exec = bm_tree_find(ready, "exec") != NULL;
	char path[64];

	if (ready != NULL && ready->kind == BM_NODE_MAP && tcp == exec) {
		snprintf(path, sizeof(path), "units[%zu].ready", index);
		bm_report_error(report, ready->line, ready->column, path,
				"%s; exactly one of tcp and exec",
				tcp ? "both tcp and exec" : "neither tcp nor exec");
	}
}

static void check_name(const struct bm_config *config, const struct bm_node *unit, size_t index,
		struct bm_report *report)
{
	const struct bm_node *name = bm_tree_find(unit, "name");
	char path[64];

	for (size_t other = 0; other < index; other++) {
		if (config->units[index].name != NULL && config->units[other].name != NULL &&
				strcmp(config->units[index].name, config->units[other].name) ==
						0) {
			snprintf(path, sizeof(path), "units[%zu].name", index);
			bm_report_error(report, name->line, name->column, path,
					"units[%zu] has this name already; each name once",
					other);
			return;
		}
	}
}

static bool is_same_text(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void check_migration_name(const struct bm_config *config, const struct bm_node *node,
		size_t index, struct bm_report *report)
{
	const struct bm_node *name = bm_tree_find(node, "name");
	char path[64];

	for (size_t other = 0; other < index; other++) {
		if (is_same_text(config->migrations[index].name,
				    config->migrations[other].name)) {
			snprintf(path, sizeof(path), "migrations[%zu].name", index);
			bm_report_error(report, name->line, name->column, path,
					"migrations[%zu] has this name already; each name once",
					other);
			return;
		}
	}
}

static void check_ends(const struct bm_config *config, const struct bm_node *node, size_t index,
		struct bm_report *report)
{
	const struct bm_config_endpoint *source = &config->migrations[index].source;
	const struct bm_config_endpoint *destination = &config->migrations[index].destination;
	const struct bm_node *at = bm_tree_find(node, "destination");
	char path[64];

	if (at != NULL && is_same_text(source->host, destination->host) &&
			is_same_text(source->dbname, destination->dbname) &&
			source->port == destination->port) {
		snprintf(path, sizeof(path), "migrations[%zu].destination", index);
		bm_report_error(report, at->line, at->column, path,
				"the same database as the source; another one");
	}
}

/* ---- hooks ---- */

#define BIT(type) (1U << BM_HOOK_##type)

/* Which types of hook need a key, and which may have it. */
static const struct {
	const char *key;
	unsigned needed, allowed;
} hook_keys[] = {
		{"when", 0, BIT(SQL) | BIT(COMMAND)},
		{"connection", BIT(SQL) | BIT(PGBOUNCER), 0},
		{"statements", BIT(SQL), 0},
		{"command", BIT(COMMAND), 0},
		{"databases", BIT(PGBOUNCER), 0},
		{"file", BIT(PGBOUNCER), 0},
		{"source", 0, BIT(PGBOUNCER)},
		{"destination", 0, BIT(PGBOUNCER)},
};

/* A key at its default says nothing: `config show` has all of them. */
static const struct bm_node *said(const struct bm_node *hook, const char *key)
{
	const struct bm_node *at = bm_tree_find(hook, key);
	bool is_empty = at != NULL && at->kind == BM_NODE_MAP && at->first == NULL;
	bool is_usual = at != NULL && at->kind == BM_NODE_SCALAR && at->text != NULL &&
			strcmp(key, "when") == 0 && strcmp(at->text, "after") == 0;

	return is_empty || is_usual ? NULL : at;
}

static void check_hook_keys(const struct bm_config_hook *hook, const struct bm_node *node,
		const char *path, struct bm_report *report)
{
	unsigned bit = 1U << hook->type;

	for (size_t i = 0; i < BM_COUNT_OF(hook_keys); i++) {
		const struct bm_node *at = said(node, hook_keys[i].key);
		if (at == NULL && (hook_keys[i].needed & bit) != 0) {
			bm_report_error(report, node->line, node->column, path,
					"a hook of type %s needs '%s'",
					bm_hook_type_name(hook->type), hook_keys[i].key);
		}
		if (at != NULL && ((hook_keys[i].needed | hook_keys[i].allowed) & bit) == 0) {
			bm_report_error(report, at->name_line, at->name_column, path,
					"a hook of type %s has no '%s'; remove the key",
					bm_hook_type_name(hook->type), hook_keys[i].key);
		}
	}
}

/* The console's database has its name from PgBouncer. */
static void check_hook_connection(const struct bm_config_hook *hook, const struct bm_node *node,
		const char *path, struct bm_report *report)
{
	static const char *const needed[] = {"host", "user", "dbname"};
	const struct bm_node *at = bm_tree_find(node, "connection");
	size_t count = hook->type == BM_HOOK_SQL ? 3 : hook->type == BM_HOOK_PGBOUNCER ? 2 : 0;

	for (size_t i = 0; at != NULL && at->kind == BM_NODE_MAP && i < count; i++) {
		if (bm_tree_find(at, needed[i]) == NULL) {
			bm_report_error(report, at->line, at->column, path,
					"its connection has no '%s'; host, port%s and user",
					needed[i], hook->type == BM_HOOK_SQL ? ", dbname" : "");
		}
	}
}

static void check_hook(const struct bm_config_migration *migration, const struct bm_node *node,
		size_t index, size_t place, struct bm_report *report)
{
	const struct bm_config_hook *hook = &migration->hooks[place];
	char path[64];

	snprintf(path, sizeof(path), "migrations[%zu].cutover.hooks[%zu]", index, place);
	if (bm_tree_find(node, "type") != NULL) {
		check_hook_keys(hook, node, path, report);
		check_hook_connection(hook, node, path, report);
	}
	for (size_t other = 0; other < place; other++) {
		if (is_same_text(hook->name, migration->hooks[other].name)) {
			bm_report_error(report, node->line, node->column, path,
					"hooks[%zu] has this name already; each name once",
					other);
		}
	}
}

static void check_hooks(const struct bm_config *config, const struct bm_node *node,
		size_t index, struct bm_report *report)
{
	const struct bm_config_migration *migration = &config->migrations[index];
	const struct bm_node *hooks = bm_tree_find(bm_tree_find(node, "cutover"), "hooks");
	size_t place = 0;

	if (migration->hook_count == 0) {
		return;
	}
	for (const struct bm_node *one = hooks->first; one != NULL; one = one->next) {
		check_hook(migration, one, index, place++, report);
	}
}

/* ---- who is told ---- */

static void check_receiver(const struct bm_config *config, const struct bm_node *node,
		size_t index, struct bm_report *report)
{
	const struct bm_config_receiver *one = &config->receivers[index];
	int ways = (one->url != NULL) + (one->url_file != NULL) + (one->command != NULL);
	char path[64];

	snprintf(path, sizeof(path), "notify.receivers[%zu]", index);
	if (ways != 1) {
		bm_report_error(report, node->line, node->column, path,
				"found %s of url, url_file and command; exactly one of them",
				ways == 0 ? "none" : "several");
	} else if (one->command != NULL && (one->token_file != NULL || one->ca_file != NULL)) {
		bm_report_error(report, node->line, node->column, path,
				"token_file and ca_file are for a url; a command reads its secrets "
				"by itself");
	}
	for (size_t other = 0; other < index; other++) {
		if (is_same_text(one->name, config->receivers[other].name)) {
			bm_report_error(report, node->line, node->column, path,
					"receivers[%zu] has this name already; each name once",
					other);
		}
	}
}

static void check_receivers(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	const struct bm_node *list = bm_tree_find(bm_tree_find(root, "notify"), "receivers");
	size_t index = 0;

	for (const struct bm_node *node = list != NULL && config->receiver_count > 0
					? list->first
					: NULL;
			node != NULL; node = node->next) {
		check_receiver(config, node, index++, report);
	}
}

static void check_migrations(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	size_t index = 0;

	if (config->migration_count == 0) {
		return;
	}
	for (const struct bm_node *node = bm_tree_find(root, "migrations")->first; node != NULL;
			node = node->next) {
		check_migration_name(config, node, index, report);
		check_ends(config, node, index, report);
		check_hooks(config, node, index, report);
		index++;
	}
}

void bm_load_cross_check(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report)
{
	const struct bm_node *units = bm_tree_find(root, "units");
	size_t index = 0;

	check_backoff(config, root, report);
	check_checktime(config, root, report);
	check_settings(root, report);
	check_tls(config, root, report);
	check_receivers(config, root, report);
	check_migrations(config, root, report);
	if (config->unit_count == 0) {
		return;
	}
	for (const struct bm_node *unit = units->first; unit != NULL; unit = unit->next) {
		check_ready(unit, index, report);
		check_name(config, unit, index, report);
		index++;
	}
}
