/* A table of columns: where each number stands in the status, and how it is summed up. */
#include "client/history/history_row.h"

#include <stdbool.h>
#include <string.h>

#include "bucardo_machine/history.h"
#include "bucardo_machine/macros.h"

/* How several migrations make one number of the machine. */
enum sum { SUM_ALL, SUM_WORST_HIGH, SUM_WORST_LOW };

static const struct column {
	const char *name;
	const char *object, *member; /* of a migration of the status */
	double scale;
	enum sum sum;
	const char *phase; /* only in this one; NULL: in each */
} columns[] = {
		{"lag", "replication", "lag_msec", 1e-3, SUM_WORST_HIGH, NULL},
		{"backlog", "replication", "backlog_rows", 1, SUM_ALL, NULL},
		{"applied", "replication", "applied_rows", 1, SUM_ALL, NULL},
		{"copied", "progress", "done", 1, SUM_ALL, "copy"},
		{"verified", "verify", "percent", 1, SUM_WORST_LOW, NULL},
		{"differences", "verify", "rows_different", 1, SUM_ALL, NULL},
};

static const char *phase_of(const json_t *migration)
{
	const char *phase = json_string_value(json_object_get(migration, "phase"));

	return phase != NULL ? phase : "";
}

/* Whether a migration can have it, as none has a lag before it replicates. */
static bool is_meant(const struct column *column, const json_t *migration)
{
	return (column->phase == NULL || strcmp(phase_of(migration), column->phase) == 0) &&
			json_is_object(json_object_get(migration, column->object));
}

/* NULL: it is not known. */
static const json_t *number_of(const struct column *column, const json_t *migration)
{
	const json_t *number = json_object_get(
			json_object_get(migration, column->object), column->member);

	return is_meant(column, migration) && json_is_number(number) ? number : NULL;
}

/* A whole number stays one: PostgreSQL reads it as bigint. */
static json_t *scaled(const struct column *column, const json_t *number)
{
	return column->scale == 1 && json_is_integer(number)
			? json_integer(json_integer_value(number))
			: json_real(json_number_value(number) * column->scale);
}

static double added(enum sum sum, double all, double one)
{
	switch (sum) {
	case SUM_WORST_HIGH:
		return one > all ? one : all;
	case SUM_WORST_LOW:
		return one < all ? one : all;
	default:
		return all + one;
	}
}

/* What is not known of one migration is not known of the machine: the worst may be there. */
static json_t *of_all(const struct column *column, const json_t *migrations)
{
	double all = 0;
	bool is_known = false;
	size_t index;
	const json_t *migration;

	json_array_foreach(migrations, index, migration)
	{
		const json_t *number = number_of(column, migration);
		double one = json_number_value(number) * column->scale;
		if (number != NULL) {
			all = is_known ? added(column->sum, all, one) : one;
			is_known = true;
		} else if (is_meant(column, migration)) {
			return json_null();
		}
	}
	return !is_known			 ? json_null()
			: column->sum == SUM_ALL ? json_integer((json_int_t)all)
						 : json_real(all);
}

static json_t *begin_row(json_t *rows, const json_t *status, const char *migration, int64_t at)
{
	const json_t *load = json_object_get(json_object_get(status, "host"), "got_percent");
	json_t *row = json_pack("{s:s, s:I, s:I}", "migration", migration, "at", (json_int_t)at,
			"number", (json_int_t)json_array_size(rows));

	if (json_is_number(load)) {
		json_object_set_new(row, "load", json_real(json_number_value(load)));
	}
	json_array_append_new(rows, row);
	return row;
}

/* When the phase would be done, as it was said then. */
static void add_eta(json_t *row, const json_t *migration, int64_t at)
{
	const json_t *eta = json_object_get(json_object_get(migration, "progress"), "eta_msec");

	if (json_is_integer(eta)) {
		json_object_set_new(row, "predicted_end",
				json_integer(at + json_integer_value(eta) / 1000));
	}
}

static void add_migration(
		json_t *rows, const json_t *status, const json_t *migration, int64_t at)
{
	const char *name = json_string_value(json_object_get(migration, "name"));
	json_t *row = begin_row(rows, status, name != NULL ? name : "", at);

	for (size_t i = 0; i < BM_COUNT_OF(columns); i++) {
		const json_t *number = number_of(&columns[i], migration);
		if (number != NULL) {
			json_object_set_new(row, columns[i].name, scaled(&columns[i], number));
		}
	}
	json_object_set_new(row, "phase", json_string(phase_of(migration)));
	add_eta(row, migration, at);
}

void history_rows_add(json_t *rows, const json_t *status, int64_t at)
{
	const json_t *migrations = json_object_get(status, "migrations");
	json_t *machine = begin_row(rows, status, "", at);
	size_t index;
	const json_t *migration;

	for (size_t i = 0; i < BM_COUNT_OF(columns); i++) {
		json_object_set_new(machine, columns[i].name, of_all(&columns[i], migrations));
	}
	json_array_foreach(migrations, index, migration)
	{
		if (index < HISTORY_MIGRATIONS) {
			add_migration(rows, status, migration, at);
		}
	}
}
