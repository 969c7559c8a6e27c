/* The owners of what was made, and the rights that they need for that moment. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "worker/schema/roles.h"

/* The new owner's name, from "... OWNER TO name;". */
static char *owner_of(const struct bm_entry *entry)
{
	const char *text = bm_strbuf_text(&entry->sql);
	const char *found = NULL;

	for (const char *hit = text; (hit = strstr(hit, " OWNER TO ")) != NULL; hit++) {
		found = hit + sizeof(" OWNER TO ") - 1;
	}
	return found == NULL ? bm_strdup("") : bm_strndup(found, strcspn(found, ";"));
}

/* Let the owner create in the schema; the statement that takes it back goes to `undo`. */
static void allow(struct bm_transfer *t, const struct bm_entry *entry, struct bm_strbuf *asked,
		struct bm_strbuf *undo)
{
	char *owner = owner_of(entry);
	struct bm_strbuf schema = BM_STRBUF_INIT;

	bm_quote_ident(&schema, entry->schema);
	char *pair = bm_format(" ON SCHEMA %s TO %s;", bm_strbuf_text(&schema), owner);
	if (strstr(bm_strbuf_text(asked), pair) == NULL) {
		bm_strbuf_puts(asked, pair);
		struct bm_strbuf question = BM_STRBUF_INIT;
		bm_strbuf_puts(&question,
				"SELECT has_schema_privilege(r.oid, n.oid, 'CREATE')"
				" FROM pg_roles r, pg_namespace n WHERE quote_ident(r.rolname) = ");
		bm_quote_literal(&question, owner);
		bm_strbuf_puts(&question, " AND n.nspname = ");
		bm_quote_literal(&question, entry->schema);
		char *may = bm_sql_value(t->control, bm_strbuf_text(&question), NULL);
		char *grant = bm_format("GRANT CREATE%s", pair);
		if (may != NULL && may[0] == 'f' && bm_roles_try(t, grant, NULL)) {
			bm_strbuf_printf(undo, "REVOKE CREATE ON SCHEMA %s FROM %s;",
					bm_strbuf_text(&schema), owner);
		}
		bm_strbuf_finish(&question);
		free(may);
		free(grant);
	}
	free(pair);
	free(owner);
	bm_strbuf_finish(&schema);
}

static bool is_in_schema(const struct bm_entry *entry)
{
	return strcmp(entry->schema, "-") != 0;
}

/* What stands in schemas, or what does not: the schemas themselves. */
static int set_some(struct bm_transfer *t, const struct bm_entries *owners, bool in_schema,
		bm_apply_entries *apply, struct bm_error *err)
{
	struct bm_entry *list = bm_alloc((owners->count + 1) * sizeof(*list)); /* borrowed */
	size_t count = 0;

	for (size_t i = 0; i < owners->count; i++) {
		if (is_in_schema(&owners->list[i]) == in_schema) {
			list[count++] = owners->list[i];
		}
	}
	int rc = count == 0 ? 0 : apply(t, list, count, err);
	free(list);
	return rc;
}

int bm_roles_set_owners(struct bm_transfer *t, const struct bm_entries *owners,
		bm_apply_entries *apply, struct bm_error *err)
{
	struct bm_strbuf asked = BM_STRBUF_INIT, undo = BM_STRBUF_INIT;

	for (size_t i = 0; i < owners->count && !t->destination_is_superuser; i++) {
		if (is_in_schema(&owners->list[i])) {
			allow(t, &owners->list[i], &asked, &undo);
		}
	}
	int rc = set_some(t, owners, true, apply, err);
	if (rc == 0 && undo.length > 0) {
		rc = bm_sql_do(t->control, bm_strbuf_text(&undo), err);
	}
	/* Last: what is taken back from a role must not be taken from an owner. */
	rc = rc == 0 ? set_some(t, owners, false, apply, err) : -1;
	bm_strbuf_finish(&asked);
	bm_strbuf_finish(&undo);
	return rc;
}
