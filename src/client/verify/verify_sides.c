/* From the machine's request to keywords of libpq. */
#include "client/verify/verify_sides.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"

void cli_verify_take_endpoint(const json_t *endpoint, struct bm_conninfo *out)
{
	const char *name;
	const json_t *value;

	*out = (struct bm_conninfo){0};
	json_object_foreach((json_t *)(uintptr_t)endpoint, name, value)
	{
		char number[24];
		if (json_is_integer(value)) {
			snprintf(number, sizeof(number), "%lld",
					(long long)json_integer_value(value));
			bm_conninfo_put(out, name, number);
		} else if (json_is_string(value)) {
			bm_conninfo_put(out, name, json_string_value(value));
		}
	}
}

void cli_verify_use_passfile(const char *runtime)
{
	char *pgpass = bm_format("%s/pgpass", runtime);

	if (getenv("PGPASSFILE") == NULL && access(pgpass, R_OK) == 0) {
		setenv("PGPASSFILE", pgpass, 1);
	}
	free(pgpass);
}
