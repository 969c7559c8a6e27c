/* Which roles there are, and statements that name them. */
#include "worker/schema/roles.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/roles.h"
#include "worker/schema/role_names.h"

/* clang-format off */
const char bm_roles_used_sql[] =
#include "worker/schema/sql/roles_used.sql.inc"
;

const char bm_roles_there_sql[] =
#include "worker/schema/sql/roles_there.sql.inc"
;

static const char members_sql[] =
"SELECT g.rolname, m.rolname, a.admin_option FROM pg_auth_members a"
" JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member";
/* clang-format on */

const char *bm_roles_map(const struct bm_role_rules *rules, const char *role)
{
	size_t length = strlen(role);

	for (const char *const *pair = rules->names; pair != NULL && *pair != NULL; pair++) {
		if (strncmp(*pair, role, length) == 0 && (*pair)[length] == '=') {
			return *pair + length + 1;
		}
	}
	return role;
}

const char *bm_roles_right(int server_version)
{
	return server_version >= 160000 ? "SET" : "MEMBER";
}

/* ---- what is there ---- */

char *bm_roles_list(const struct bm_role_rules *rules, const PGresult *used)
{
	json_t *names = json_array();

	for (int row = 0; row < PQntuples(used); row++) {
		json_array_append_new(names,
				bm_json_text(bm_roles_map(
						rules, PQgetvalue(used, row, BM_ROLE_NAME))));
	}
	char *list = json_dumps(names, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(names);
	return list;
}

static PGresult *ask_there(struct bm_transfer *t, const PGresult *used, struct bm_error *err)
{
	char *list = bm_roles_list(&t->options.roles, used);
	const char *const params[] = {list, bm_roles_right(PQserverVersion(t->control))};
	PGresult *there = bm_sql_params(t->control, bm_roles_there_sql, 2, params, err);

	free(list);
	return there;
}

static void take(const PGresult *used, const PGresult *there, struct bm_roles *out)
{
	out->list = bm_alloc(((size_t)PQntuples(used) + 1) * sizeof(*out->list));
	for (int row = 0; row < PQntuples(used); row++) {
		bool exists = PQgetvalue(there, row, 2)[0] == 't';
		out->list[out->count++] = (struct bm_role){
				.name = bm_strdup(PQgetvalue(used, row, BM_ROLE_NAME)),
				.quoted = exists ? bm_strdup(PQgetvalue(there, row, 1)) : NULL,
				.may_own = PQgetvalue(there, row, 3)[0] == 't',
		};
	}
}

void bm_roles_finish(struct bm_roles *roles)
{
	for (size_t i = 0; i < roles->count; i++) {
		free(roles->list[i].name);
		free(roles->list[i].quoted);
	}
	free(roles->list);
	*roles = (struct bm_roles){0};
}

static struct bm_role *find(const struct bm_roles *roles, const char *name)
{
	for (size_t i = 0; i < roles->count; i++) {
		if (strcmp(roles->list[i].name, name) == 0) {
			return &roles->list[i];
		}
	}
	return NULL;
}

/* ---- creating ---- */

bool bm_roles_try(struct bm_transfer *t, const char *sql, struct bm_error *why)
{
	bool done = bm_sql_do(t->control, "SAVEPOINT role", why) == 0 &&
			bm_sql_do(t->control, sql, why) == 0;

	bm_sql_do(t->control, done ? "RELEASE SAVEPOINT role" : "ROLLBACK TO SAVEPOINT role",
			NULL);
	return done;
}

/* Without what our own role has not, it can be made at least. */
static bool create_role(struct bm_transfer *t, const char *quoted, const char *words,
		struct bm_error *why)
{
	char *full = bm_format("CREATE ROLE %s NOLOGIN %s", quoted, words);
	char *plain = bm_format("CREATE ROLE %s NOLOGIN", quoted);
	char *join = bm_format("GRANT %s TO CURRENT_USER", quoted);
	bool done = bm_roles_try(t, full, why);

	if (!done && words[0] != '\0' && bm_roles_try(t, plain, why)) {
		bm_transfer_note(t, "role %s was made without '%s': %s", quoted, words,
				why->message);
		done = true;
	}
	if (done && !t->destination_is_superuser && !bm_roles_try(t, join, why)) {
		bm_transfer_note(t, "role %s cannot become an owner: %s", quoted, why->message);
	}
	free(full);
	free(plain);
	free(join);
	return done;
}

static void create_missing(struct bm_transfer *t, const PGresult *used, const PGresult *there,
		struct bm_strbuf *made)
{
	for (int row = 0; row < PQntuples(used); row++) {
		const char *name = PQgetvalue(there, row, 0);
		const char *quoted = PQgetvalue(there, row, 1);
		struct bm_error why = BM_ERROR_INIT;
		if (PQgetvalue(there, row, 2)[0] == 't' || strncmp(name, "pg_", 3) == 0) {
			continue;
		}
		if (PQgetvalue(used, row, BM_ROLE_SUPERUSER)[0] == 't') {
			bm_transfer_note(t,
					"role %s is a superuser of the source and is not made on the "
					"destination",
					quoted);
		} else if (create_role(t, quoted, PQgetvalue(used, row, BM_ROLE_WORDS), &why)) {
			bm_strbuf_printf(made, "%s%s", made->length > 0 ? ", " : "", quoted);
		} else {
			bm_transfer_note(t, "role %s cannot be made: %s", quoted, why.message);
		}
	}
}

/* Both are in the list, and at least one was not there before. */
static void join_groups(
		struct bm_transfer *t, const struct bm_roles *before, const PGresult *members)
{
	for (int row = 0; row < PQntuples(members); row++) {
		const struct bm_role *group = find(before, PQgetvalue(members, row, 0));
		const struct bm_role *member = find(before, PQgetvalue(members, row, 1));
		struct bm_strbuf sql = BM_STRBUF_INIT;
		struct bm_error why = BM_ERROR_INIT;
		if (group == NULL || member == NULL ||
				(group->quoted != NULL && member->quoted != NULL)) {
			continue;
		}
		bm_strbuf_puts(&sql, "GRANT ");
		bm_quote_ident(&sql, bm_roles_map(&t->options.roles, group->name));
		bm_strbuf_puts(&sql, " TO ");
		bm_quote_ident(&sql, bm_roles_map(&t->options.roles, member->name));
		bm_strbuf_puts(&sql,
				PQgetvalue(members, row, 2)[0] == 't' ? " WITH ADMIN OPTION"
								      : "");
		if (!bm_roles_try(t, bm_strbuf_text(&sql), &why)) {
			bm_transfer_note(t, "left out %s: %s", bm_strbuf_text(&sql),
					why.message);
		}
		bm_strbuf_finish(&sql);
	}
}

/* In a transaction of their own: they are there for a run that comes after a kill. */
static int create_all(struct bm_transfer *t, const PGresult *used, const PGresult *there,
		const PGresult *members, struct bm_error *err)
{
	struct bm_strbuf made = BM_STRBUF_INIT;
	struct bm_roles before = {0};
	int rc = bm_sql_do(t->control, "BEGIN", err);

	if (rc == 0) {
		take(used, there, &before);
		create_missing(t, used, there, &made);
		join_groups(t, &before, members);
		rc = bm_sql_do(t->control, "COMMIT", err);
	}
	if (rc == 0 && made.length > 0) {
		bm_transfer_note(t,
				"made roles %s, without passwords: ALTER ROLE ... LOGIN PASSWORD for "
				"those that have to log in",
				bm_strbuf_text(&made));
	}
	bm_roles_finish(&before);
	bm_strbuf_finish(&made);
	return rc;
}

int bm_roles_read(struct bm_transfer *t, struct bm_roles *out, struct bm_error *err)
{
	PGresult *used = bm_sql(t->snapshot_session, bm_roles_used_sql, err);
	PGresult *members = used == NULL ? NULL : bm_sql(t->snapshot_session, members_sql, err);
	PGresult *there = members == NULL ? NULL : ask_there(t, used, err);
	int rc = there != NULL ? 0 : -1;

	*out = (struct bm_roles){0};
	if (rc == 0 && t->options.roles.create) {
		rc = create_all(t, used, there, members, err);
		PQclear(there);
		there = rc == 0 ? ask_there(t, used, err) : NULL;
		rc = there != NULL ? 0 : -1;
	}
	if (rc == 0) {
		take(used, there, out);
	}
	PQclear(used);
	PQclear(members);
	PQclear(there);
	return rc == 0 ? 0 : bm_error_wrap(err, "looking at the roles");
}

/* ---- statements ---- */

struct mapping {
	const struct bm_roles *roles;
	bool owns;
	struct bm_strbuf missing, foreign; /* names for the note */
	struct bm_strbuf dropped;	   /* missing ones of this statement */
};

static void add_name(struct bm_strbuf *names, const char *name)
{
	char *word = bm_format(", %s", name);

	if (strstr(bm_strbuf_text(names), word) == NULL) {
		bm_strbuf_puts(names, word);
	}
	free(word);
}

static const char *map_role(void *ctx, const char *name)
{
	struct mapping *mapping = ctx;
	const struct bm_role *role = find(mapping->roles, name);

	if (role == NULL || role->quoted == NULL) {
		add_name(&mapping->missing, name);
		add_name(&mapping->dropped, name);
		return NULL;
	}
	if (mapping->owns && !role->may_own) {
		add_name(&mapping->foreign, name);
		return NULL;
	}
	return role->quoted;
}

static bool is_wanted(const struct bm_transfer *t, const struct bm_entry *entry,
		enum bm_statement_kind kind)
{
	switch (kind) {
	case BM_STATEMENT_OWNER:
		return !t->options.roles.drop_owners;
	case BM_STATEMENT_GRANT:
		return !t->options.roles.drop_grants;
	case BM_STATEMENT_SESSION:
		return t->destination_is_superuser && !t->options.roles.drop_grants;
	default:
		return entry->sql.length > 0;
	}
}

static void add_owner(
		struct bm_entries *owners, const struct bm_entry *entry, struct bm_strbuf *sql)
{
	owners->list = bm_realloc(owners->list, owners->count + 1, sizeof(*owners->list));
	owners->list[owners->count++] = (struct bm_entry){
			.name = bm_format("of %s %s", entry->type, entry->name),
			.type = bm_strdup("OWNER"),
			.schema = bm_strdup(entry->schema),
			.owner = bm_strdup(""),
			.needs = bm_strdup(""),
			.sql = *sql,
	};
	*sql = (struct bm_strbuf)BM_STRBUF_INIT;
}

/* One that takes rows away: for a role that comes later they would be there. */
static bool is_restrictive(const char *text, size_t length)
{
	static const char words[] = " AS RESTRICTIVE";

	return memmem(text, length, words, sizeof(words) - 1) != NULL;
}

/* A policy without some of its roles, or left out without all of them. */
static void report_policy(struct bm_transfer *t, const struct mapping *mapping,
		const struct bm_entry *entry, const char *text, size_t length, bool kept)
{
	const char *roles = bm_strbuf_text(&mapping->dropped) + 2;

	if (!is_restrictive(text, length)) {
		if (!kept) {
			bm_transfer_note(t,
					"left out %s %s: the destination has none of its roles",
					entry->type, entry->name);
		}
		return;
	}
	char *object = bm_format("%s %s.%s", entry->type, entry->schema, entry->name);
	char *why = bm_format(
			"it is RESTRICTIVE, and is %s, which the destination does not have: "
			"the rows that it hides on the source would be seen by such a role",
			kept ? "made without these of its roles"
			     : "left out for lack of its roles");
	char *named = bm_format("%s (%s)", why, roles);
	char *hint = bm_format(
			"make the roles on the destination before; or afterwards there%s: %.*s",
			kept ? ", when the policy is dropped" : "", (int)length, text);
	bm_transfer_find(t, object, named, hint);
	free(object);
	free(why);
	free(named);
	free(hint);
}

static void apply_statement(struct bm_transfer *t, struct mapping *mapping,
		const struct bm_entry *entry, const char *text, size_t length,
		struct bm_entries *owners, struct bm_strbuf *kept)
{
	enum bm_statement_kind kind = bm_statement_kind(text, length);
	struct bm_strbuf mapped = BM_STRBUF_INIT;

	mapping->owns = kind == BM_STATEMENT_OWNER;
	bm_strbuf_clear(&mapping->dropped);
	if (kind == BM_STATEMENT_OTHER) {
		bm_strbuf_add(kept, text, length);
	} else if (is_wanted(t, entry, kind)) {
		bool is_kept = bm_statement_map_roles(text, length, map_role, mapping, &mapped);
		if (kind == BM_STATEMENT_POLICY && mapping->dropped.length > 0) {
			report_policy(t, mapping, entry, text, length, is_kept);
		}
		if (!is_kept) {
			/* Nothing is left of it. */
		} else if (mapping->owns && owners != NULL) {
			bm_strbuf_putc(&mapped, '\n');
			add_owner(owners, entry, &mapped);
		} else {
			bm_strbuf_add(kept, bm_strbuf_text(&mapped), mapped.length);
		}
	}
	bm_strbuf_finish(&mapped);
}

static void apply_entry(struct bm_transfer *t, struct mapping *mapping, struct bm_entry *entry,
		struct bm_entries *owners)
{
	struct bm_strbuf kept = BM_STRBUF_INIT;
	const char *text = bm_strbuf_text(&entry->sql);

	for (size_t at = 0; at < entry->sql.length;) {
		size_t end = bm_statement_end(text, entry->sql.length, at);
		apply_statement(t, mapping, entry, text + at, end - at, owners, &kept);
		at = end;
		while (at < entry->sql.length && text[at] == '\n') {
			bm_strbuf_putc(&kept, '\n');
			at++;
		}
	}
	bm_strbuf_finish(&entry->sql);
	if (strspn(bm_strbuf_text(&kept), "\n") == kept.length) {
		bm_strbuf_clear(&kept);
	}
	entry->sql = kept;
}

void bm_roles_apply(struct bm_transfer *t, const struct bm_roles *roles,
		struct bm_entries *entries, struct bm_entries *owners, bool report)
{
	struct mapping mapping = {.roles = roles};

	for (size_t i = 0; i < entries->count; i++) {
		apply_entry(t, &mapping, &entries->list[i], owners);
	}
	if (mapping.missing.length > 0 && report) {
		bm_transfer_note(t,
				"owners and grants left out of roles that the destination does not "
				"have: %s; make them before, or map them to others, to keep them",
				bm_strbuf_text(&mapping.missing) + 2);
	}
	if (mapping.foreign.length > 0 && report) {
		bm_transfer_note(t,
				"owners left out, because our role is no member of them on the "
				"destination: %s; what they own belongs to our role there",
				bm_strbuf_text(&mapping.foreign) + 2);
	}
	bm_strbuf_finish(&mapping.missing);
	bm_strbuf_finish(&mapping.dropped);
	bm_strbuf_finish(&mapping.foreign);
}
