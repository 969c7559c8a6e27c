/*
 * The walk over a file's nodes by the table of keys.
 *
 * A `place` says where the walk stands: the prefix of the table's rows, the path
 * that people read (with list indices), and the struct that values go into.
 */
#include "base/config/load.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "base/config/keys.h"
#include "base/config/suggest.h"
#include "base/config/value.h"

/* Room for the deepest path of the table; a longer name is cut in messages. */
#define PATH_BYTES 128

struct load {
	struct bm_arena *arena;
	struct bm_report *report;
};

struct place {
	char prefix[PATH_BYTES]; /* "units[].ready." */
	char path[PATH_BYTES];	 /* "units[0].ready." */
	void *base;
};

/* Keys that people try because other programs have them. */
static const struct {
	const char *path; /* with "[]" for any place of a list */
	const char *why;
} refused_keys[] = {
#define PASSWORD                                                                               \
	"passwords stand in pgpass, a line HOST:PORT:DATABASE:USER:PASSWORD; remove the key"
		{"migrations[].source.password", PASSWORD},
		{"migrations[].destination.password", PASSWORD},
		{"migrations[].source.passfile", PASSWORD},
		{"migrations[].destination.passfile", PASSWORD},
};

static const char *const nothing[] = {NULL};

static void load_map(struct load *load, const struct bm_node *map, const struct place *place);

void bm_load_defaults(const char *prefix, void *base)
{
	for (size_t i = 0; i < bm_key_count; i++) {
		const struct bm_key *key = &bm_keys[i];
		char inner[PATH_BYTES];
		if (bm_key_name_under(key, prefix) == NULL) {
			continue;
		}
		if (key->type == BM_KEY_SECTION) {
			bm_key_inner_prefix(key, inner, sizeof(inner));
			bm_load_defaults(inner, base);
		} else if (key->type == BM_KEY_PAIRS) {
			const char *const *none = nothing;
			memcpy((char *)base + key->offset, &none, sizeof(none));
		} else if (key->type == BM_KEY_TEXT) {
			memcpy((char *)base + key->offset, &key->fallback_text,
					sizeof(key->fallback_text));
		} else if (key->type < BM_KEY_TEXT && key->type != BM_KEY_LIST) {
			bm_value_put(key, base, key->fallback);
		}
	}
}

/* The path of `name` at this place, for messages; names of files are untrusted text. */
static const char *path_of(const struct place *place, const char *name, char *out)
{
	snprintf(out, PATH_BYTES, "%s%s", place->path, name);
	for (char *c = out; *c != '\0'; c++) {
		*c = (unsigned char)*c < 0x20 ? '?' : *c;
	}
	size_t used = strlen(out);
	if (name[0] == '\0' && used > 0) {
		out[used - 1] = '\0'; /* the place itself, without its dot */
	}
	return out;
}

static void complain(struct load *load, const struct bm_node *node, const struct place *place,
		const char *name, const char *problem)
{
	char path[PATH_BYTES];

	bm_report_error(load->report, node->line, node->column, path_of(place, name, path),
			"%s", problem);
}

static void complain_type(struct load *load, const struct bm_node *node,
		const struct place *place, const char *name, const char *wanted)
{
	static const char *const found[] = {
			[BM_NODE_SCALAR] = "a single value",
			[BM_NODE_LIST] = "a list",
			[BM_NODE_MAP] = "a mapping",
	};
	bool is_empty = node->kind == BM_NODE_LIST && node->count == 0;
	char path[PATH_BYTES];

	if (node->refused) {
		return;
	}
	bm_report_error(load->report, node->line, node->column, path_of(place, name, path),
			"found %s; allowed: %s",
			bm_tree_is_null(node)	   ? "no value"
					: is_empty ? "an empty list"
						   : found[node->kind],
			wanted);
}

static void complain_key_type(struct load *load, const struct bm_key *key,
		const struct bm_node *node, const struct place *place)
{
	struct bm_strbuf wanted = BM_STRBUF_INIT;

	bm_value_describe(key, &wanted);
	complain_type(load, node, place, node->name, bm_strbuf_text(&wanted));
	bm_strbuf_finish(&wanted);
}

/* Whether `node` has the kind that is wanted; a scalar must have a value, too. */
static bool is_a(const struct bm_node *node, enum bm_node_kind kind)
{
	return node->kind == kind && !bm_tree_is_null(node);
}

static void load_scalar(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place)
{
	struct bm_strbuf problem = BM_STRBUF_INIT;
	uint64_t value = 0;

	if (!is_a(node, BM_NODE_SCALAR)) {
		complain_key_type(load, key, node, place);
	} else if (bm_value_read(key, node->text, &value, &problem)) {
		bm_value_put(key, place->base, value);
	} else {
		complain(load, node, place, node->name, bm_strbuf_text(&problem));
	}
	bm_strbuf_finish(&problem);
}

/* Whether a text passes its key's check; what is wrong with it is reported. */
static bool check_text(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place, const char *shown, const char *name)
{
	const char *problem = key->check != NULL ? key->check(name, node->text) : NULL;

	if (problem != NULL) {
		struct bm_strbuf text = BM_STRBUF_INIT;
		/* Arguments and variables may be secret in ways no rule knows. */
		if (key->type == BM_KEY_TEXT) {
			bm_strbuf_puts(&text, "found ");
			bm_report_quote(&text, node->text);
			bm_strbuf_puts(&text, ", ");
		}
		bm_strbuf_puts(&text, problem);
		complain(load, node, place, shown, bm_strbuf_text(&text));
		bm_strbuf_finish(&text);
	}
	return problem == NULL;
}

static void load_text(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place)
{
	if (!is_a(node, BM_NODE_SCALAR) || node->text[0] == '\0') {
		complain_key_type(load, key, node, place);
	} else if (check_text(load, key, node, place, node->name, NULL)) {
		const char *copy = bm_arena_copy(load->arena, node->text, strlen(node->text));
		memcpy((char *)place->base + key->offset, &copy, sizeof(copy));
	}
}

static void load_words(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place)
{
	const char **words = bm_arena_alloc(load->arena, (node->count + 1) * sizeof(*words));
	size_t count = 0;
	char shown[PATH_BYTES];

	if (node->kind != BM_NODE_LIST || node->count == 0 || node->first->text == NULL ||
			node->first->text[0] == '\0') {
		complain_key_type(load, key, node, place);
		return;
	}
	for (const struct bm_node *item = node->first; item != NULL; item = item->next) {
		snprintf(shown, sizeof(shown), "%s[%zu]", node->name, count);
		if (!is_a(item, BM_NODE_SCALAR)) {
			complain_type(load, item, place, shown, "a text");
		} else {
			check_text(load, key, item, place, shown, NULL);
		}
		const char *text = item->text != NULL ? item->text : "";
		words[count++] = bm_arena_copy(load->arena, text, strlen(text));
	}
	memcpy((char *)place->base + key->offset, &words, sizeof(words));
}

/* Whether this key was there before, by this name or its former one; that is reported. */
static bool is_duplicate(struct load *load, const struct bm_node *map,
		const struct bm_node *node, const struct place *place)
{
	char path[PATH_BYTES];

	for (const struct bm_node *other = map->first; other != node; other = other->next) {
		const struct bm_key *key = bm_key_find(place->prefix, node->name);
		if (strcmp(other->name, node->name) == 0 ||
				(key != NULL &&
						key ==
								bm_key_find(place->prefix,
										other->name))) {
			bm_report_error(load->report, node->name_line, node->name_column,
					path_of(place, node->name, path),
					"the key is here for the second time (first in line %zu); "
					"each key once",
					other->name_line);
			return true;
		}
	}
	return false;
}

static char *join_pair(struct load *load, const struct bm_node *node)
{
	size_t size = strlen(node->name) + strlen(node->text) + 2;
	char *pair = bm_arena_alloc(load->arena, size);

	snprintf(pair, size, "%s=%s", node->name, node->text);
	return pair;
}

static void load_pairs(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place)
{
	const char **pairs = bm_arena_alloc(load->arena, (node->count + 1) * sizeof(*pairs));
	struct place inside = *place;
	size_t count = 0;

	if (node->kind != BM_NODE_MAP) {
		complain_key_type(load, key, node, place);
		return;
	}
	snprintf(inside.path, sizeof(inside.path), "%.*s%s.", PATH_BYTES / 2, place->path,
			node->name);
	for (const struct bm_node *item = node->first; item != NULL; item = item->next) {
		if (is_duplicate(load, node, item, &inside)) {
			continue;
		}
		if (!is_a(item, BM_NODE_SCALAR)) {
			complain_type(load, item, &inside, item->name, "a text");
		} else if (check_text(load, key, item, &inside, item->name, item->name)) {
			pairs[count++] = join_pair(load, item);
		}
	}
	memcpy((char *)place->base + key->offset, &pairs, sizeof(pairs));
}

static void load_list(struct load *load, const struct bm_key *key, const struct bm_node *node,
		const struct place *place)
{
	struct place inside = {.base = NULL};
	size_t index = 0;

	if (node->kind != BM_NODE_LIST || node->count > key->maximum) {
		complain_key_type(load, key, node, place);
		return;
	}
	char *elements = bm_arena_alloc(load->arena, node->count * key->element_size + 1);
	bm_key_inner_prefix(key, inside.prefix, sizeof(inside.prefix));
	for (const struct bm_node *item = node->first; item != NULL; item = item->next) {
		inside.base = elements + index * key->element_size;
		snprintf(inside.path, sizeof(inside.path), "%.*s%s[%zu].", PATH_BYTES / 2,
				place->path, node->name, index++);
		bm_load_defaults(inside.prefix, inside.base);
		if (item->kind == BM_NODE_MAP) {
			load_map(load, item, &inside);
		} else {
			complain_type(load, item, &inside, "", "a mapping");
		}
	}
	memcpy((char *)place->base + key->offset, &elements, sizeof(elements));
	memcpy((char *)place->base + key->count_offset, &node->count, sizeof(node->count));
}

static void load_section(struct load *load, const struct bm_key *key,
		const struct bm_node *node, const struct place *place)
{
	struct place inside = {.base = place->base};

	if (node->kind != BM_NODE_MAP) {
		complain_key_type(load, key, node, place);
		return;
	}
	bm_key_inner_prefix(key, inside.prefix, sizeof(inside.prefix));
	snprintf(inside.path, sizeof(inside.path), "%.*s%s.", PATH_BYTES / 2, place->path,
			node->name);
	load_map(load, node, &inside);
}

typedef void load_fn(struct load *, const struct bm_key *, const struct bm_node *,
		const struct place *);

static load_fn *const loaders[] = {
		[BM_KEY_SECTION] = load_section,
		[BM_KEY_LIST] = load_list,
		[BM_KEY_DURATION] = load_scalar,
		[BM_KEY_RATE] = load_scalar,
		[BM_KEY_COUNT] = load_scalar,
		[BM_KEY_BOOLEAN] = load_scalar,
		[BM_KEY_CHOICE] = load_scalar,
		[BM_KEY_TEXT] = load_text,
		[BM_KEY_WORDS] = load_words,
		[BM_KEY_PAIRS] = load_pairs,
};
static_assert(BM_COUNT_OF(loaders) == BM_KEY_TYPE_COUNT, "a type has no loader");

static void complain_unknown(
		struct load *load, const struct bm_node *node, const struct place *place)
{
	struct bm_strbuf problem = BM_STRBUF_INIT;
	char path[PATH_BYTES];

	path_of(place, node->name, path);
	for (size_t i = 0; i < BM_COUNT_OF(refused_keys); i++) {
		size_t length = strlen(place->prefix);
		if (strncmp(refused_keys[i].path, place->prefix, length) == 0 &&
				strcmp(refused_keys[i].path + length, node->name) == 0) {
			bm_strbuf_printf(&problem, "unknown key; %s", refused_keys[i].why);
		}
	}
	if (problem.length == 0) {
		bm_strbuf_puts(&problem, "unknown key");
		bm_suggest_key(place->prefix, node->name, &problem);
	}
	bm_report_error(load->report, node->name_line, node->name_column, path, "%s",
			bm_strbuf_text(&problem));
	bm_strbuf_finish(&problem);
}

static void complain_missing(
		struct load *load, const struct bm_node *map, const struct place *place)
{
	for (size_t i = 0; i < bm_key_count; i++) {
		const char *name = bm_key_name_under(&bm_keys[i], place->prefix);
		if (name != NULL && bm_keys[i].required && bm_tree_find(map, name) == NULL) {
			struct bm_strbuf problem = BM_STRBUF_INIT;
			bm_strbuf_puts(&problem, "missing; it must be given: ");
			bm_value_describe(&bm_keys[i], &problem);
			complain(load, map, place, name, bm_strbuf_text(&problem));
			bm_strbuf_finish(&problem);
		}
	}
}

static void load_map(struct load *load, const struct bm_node *map, const struct place *place)
{
	for (const struct bm_node *node = map->first; node != NULL; node = node->next) {
		const struct bm_key *key = bm_key_find(place->prefix, node->name);
		if (is_duplicate(load, map, node, place)) {
			continue;
		}
		if (key != NULL) {
			loaders[key->type](load, key, node, place);
		} else {
			complain_unknown(load, node, place);
		}
	}
	complain_missing(load, map, place);
}

void bm_load_tree(struct bm_config *config, struct bm_arena *arena, const struct bm_node *root,
		struct bm_report *report)
{
	struct load load = {.arena = arena, .report = report};
	struct place place = {.base = config};

	if (root->kind != BM_NODE_MAP) {
		complain_type(&load, root, &place, "",
				"a mapping of keys that starts with 'version: 1'");
		return;
	}
	load_map(&load, root, &place);
}
