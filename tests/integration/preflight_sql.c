/* Prints the statements of preflight's table, one JSON object a line: check, side, sql. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/preflight/preflight.h"

static void print(const struct bm_check *check, enum bm_side side, const char *sql)
{
	json_t *line = json_pack("{s:s, s:s, s:s}", "check", check->name, "side",
			bm_side_name(side), "sql", sql);
	char *text = json_dumps(line, JSON_COMPACT);

	puts(text);
	free(text);
	json_decref(line);
}

/* What feeds a check is asked at the other side. */
static void print_all(const struct bm_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct bm_check *check = &checks[i];
		enum bm_side other = check->side == BM_SIDE_SOURCE ? BM_SIDE_DESTINATION
								   : BM_SIDE_SOURCE;
		print(check, check->side, check->sql);
		if (check->feed != NULL) {
			print(check, other, check->feed);
		}
	}
}

int main(void)
{
	print_all(bm_checks_rights, bm_check_rights_count);
	print_all(bm_checks_servers, bm_check_servers_count);
	print_all(bm_checks_tables, bm_check_tables_count);
	return 0;
}
