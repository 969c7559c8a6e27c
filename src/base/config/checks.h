/*
 * checks - rules for texts that a type alone does not tell
 *
 * Each is a bm_key_check (see keys.h): NULL, or what is wrong and what is allowed.
 */
#ifndef BASE_CONFIG_CHECKS_H
#define BASE_CONFIG_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

const char *bm_check_unit_name(const char *name, const char *value);
const char *bm_check_argument(const char *name, const char *value);
const char *bm_check_environment(const char *name, const char *value);
const char *bm_check_folder(const char *name, const char *value);
const char *bm_check_listen(const char *name, const char *value);
const char *bm_check_tcp(const char *name, const char *value);
const char *bm_check_migration_name(const char *name, const char *value);
const char *bm_check_host(const char *name, const char *value);
const char *bm_check_database_name(const char *name, const char *value);
const char *bm_check_sslmode(const char *name, const char *value);
const char *bm_check_file(const char *name, const char *value);
const char *bm_check_url(const char *name, const char *value);
const char *bm_check_table_pattern(const char *name, const char *value);
const char *bm_check_role(const char *name, const char *value);
const char *bm_check_extension(const char *name, const char *value);
const char *bm_check_hook_name(const char *name, const char *value);
const char *bm_check_connection(const char *name, const char *value);
const char *bm_check_pgbouncer_side(const char *name, const char *value);
const char *bm_check_postgres_setting(const char *name, const char *value);

/* The PostgreSQL settings that are refused, and why, for the reference; NULL after the last. */
const char *bm_check_refused_setting(size_t index, const char **why);

/* Whether the value of a "NAME=value" is not to be shown: its name says so, or its look. */
bool bm_check_is_secret_pair(const char *pair);

#endif
