/*
 * load - a tree of nodes into a struct bm_config, by the table of keys
 *
 * Everything wrong is reported; the struct is complete (defaults where the tree
 * says nothing or nonsense) so that checks across keys can go on.
 */
#ifndef BASE_CONFIG_LOAD_H
#define BASE_CONFIG_LOAD_H

#include "bucardo_machine/config.h"
#include "base/util/arena.h"
#include "base/config/problems.h"
#include "base/config/yaml_tree.h"

/* Every default of the keys under `prefix`, into the struct at `base`. */
void bm_load_defaults(const char *prefix, void *base);

/* `arena` keeps what the configuration points to. */
void bm_load_tree(struct bm_config *config, struct bm_arena *arena, const struct bm_node *root,
		struct bm_report *report);

/* The rules that involve more than one key. */
void bm_load_cross_check(const struct bm_config *config, const struct bm_node *root,
		struct bm_report *report);

#endif
