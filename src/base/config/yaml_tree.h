/*
 * yaml_tree - a YAML text as nodes with their places, nothing clever left in it
 *
 * One document, mappings with text keys, lists and scalars as they were
 * written. Anchors, aliases, tags, further documents, deep or large trees,
 * binary or invalid UTF-8 text are errors, so whoever walks a tree is safe from
 * bombs and ambiguity. Nodes live in the arena that was passed.
 */
#ifndef BASE_CONFIG_YAML_TREE_H
#define BASE_CONFIG_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util/arena.h"
#include "base/config/problems.h"

enum bm_node_kind { BM_NODE_SCALAR, BM_NODE_LIST, BM_NODE_MAP };

struct bm_node {
	enum bm_node_kind kind;
	bool plain;		       /* a scalar without quotes */
	bool refused;		       /* a scalar in place of what was reported already */
	size_t line, column;	       /* of the value, from 1 */
	const char *text;	       /* a scalar's; never holds NUL inside */
	const char *name;	       /* its key, when the parent is a map */
	size_t name_line, name_column; /* of that key */
	size_t count;		       /* children of a list or map */
	struct bm_node *first, *last, *next;
};

/* NULL when the text cannot be read as a tree; other errors are in `report` too. */
struct bm_node *bm_tree_parse(struct bm_arena *arena, const char *text, size_t length,
		struct bm_report *report);

/* The child of a map with this key; NULL when there is none or `map` is NULL. */
const struct bm_node *bm_tree_find(const struct bm_node *map, const char *name);

/* No value: an empty plain scalar, ~ or null. */
bool bm_tree_is_null(const struct bm_node *node);

#endif
