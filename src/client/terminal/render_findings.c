/*
 * What a preflight found: equal findings of several objects are one paragraph. They are equal
 * when they read the same but for the name of the object.
 */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* Names in a paragraph. */
#define NAMES_SHOWN 12

/* What stands for the name where several share a text. */
#define ANY_NAME "NAME"

/* `text` with ANY_NAME wherever it has `name`; the caller frees it. */
static char *without_name(const char *text, const char *name)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	size_t length = strlen(name);

	while (length > 0) {
		const char *hit = strstr(text, name);
		if (hit == NULL) {
			break;
		}
		bm_strbuf_add(&out, text, (size_t)(hit - text));
		bm_strbuf_puts(&out, ANY_NAME);
		text = hit + length;
	}
	bm_strbuf_puts(&out, text);
	return bm_strbuf_detach(&out);
}

/* Severity, reason and fix, without the name: what is equal in equal findings. */
static char *key_of(const json_t *finding)
{
	const char *object = cli_text_of(finding, "object");
	char *why = without_name(cli_text_of(finding, "why"), object);
	char *hint = without_name(cli_text_of(finding, "hint"), object);
	struct bm_strbuf key = BM_STRBUF_INIT;

	bm_strbuf_printf(&key, "%s\n%s\n%s", cli_text_of(finding, "severity"), why, hint);
	free(why);
	free(hint);
	return bm_strbuf_detach(&key);
}

static void render_one(const json_t *finding, struct bm_strbuf *out)
{
	const char *object = cli_text_of(finding, "object"),
		   *hint = cli_text_of(finding, "hint");
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_printf(&text, "%s%s%s", object, object[0] != '\0' ? ": " : "",
			cli_text_of(finding, "why"));
	bm_strbuf_printf(out, "  %-8s ", cli_text_of(finding, "severity"));
	cli_text_wrapped(bm_strbuf_text(&text), 11, 11, out);
	if (hint[0] != '\0') {
		bm_strbuf_printf(out, "  %8s ", "hint:");
		cli_text_wrapped(hint, 11, 11, out);
	}
	bm_strbuf_finish(&text);
}

/* "public.a, public.b and 16 more". */
static void put_names(const json_t *group, struct bm_strbuf *out)
{
	size_t index, count = json_array_size(group);
	const json_t *finding;

	json_array_foreach(group, index, finding)
	{
		if (index == NAMES_SHOWN) {
			bm_strbuf_printf(out, " and %zu more", count - NAMES_SHOWN);
			return;
		}
		bm_strbuf_printf(out, "%s%s", index > 0 ? ", " : "",
				cli_text_of(finding, "object"));
	}
}

static void render_group(const json_t *group, struct bm_strbuf *out)
{
	const json_t *first = json_array_get(group, 0);
	const char *object = cli_text_of(first, "object");
	char *why = without_name(cli_text_of(first, "why"), object);
	char *hint = without_name(cli_text_of(first, "hint"), object);
	struct bm_strbuf text = BM_STRBUF_INIT;

	/* Only tables have a name with a schema. */
	bm_words_count(&text, (int64_t)json_array_size(group),
			strchr(object, '.') != NULL ? "table" : "finding", NULL);
	bm_strbuf_puts(&text, " (");
	put_names(group, &text);
	bm_strbuf_printf(&text, "), of each: %s", why);
	bm_strbuf_printf(out, "  %-8s ", cli_text_of(first, "severity"));
	cli_text_wrapped(bm_strbuf_text(&text), 11, 11, out);
	if (hint[0] != '\0') {
		bm_strbuf_printf(out, "  %8s ", "hint:");
		cli_text_wrapped(hint, 11, 11, out);
	}
	bm_strbuf_finish(&text);
	free(why);
	free(hint);
}

/* key -> findings, in the order of the first of each; new. */
static json_t *group_findings(const json_t *findings)
{
	json_t *groups = json_object();
	size_t index;
	json_t *finding, *group;

	json_array_foreach((json_t *)(uintptr_t)findings, index, finding)
	{
		char *text = key_of(finding);
		group = json_object_get(groups, text);
		if (group == NULL) {
			group = json_array();
			json_object_set_new(groups, text, group);
		}
		json_array_append(group, finding);
		free(text);
	}
	return groups;
}

size_t cli_finding_groups(const json_t *findings)
{
	json_t *groups = group_findings(findings);
	size_t count = json_object_size(groups);

	json_decref(groups);
	return count;
}

void cli_render_findings(const json_t *findings, struct bm_strbuf *out)
{
	json_t *groups = group_findings(findings), *group;
	const char *key;

	json_object_foreach(groups, key, group)
	{
		if (json_array_size(group) == 1) {
			render_one(json_array_get(group, 0), out);
		} else {
			render_group(group, out);
		}
	}
	json_decref(groups);
}

/* ---- the evidence at the end ---- */

void cli_render_evidence(const json_t *evidence, struct bm_strbuf *out)
{
	static const char *const severities[] = {"stops", "degrades", "note"};
	const json_t *tables = json_object_get(evidence, "tables");
	const json_t *bytes = json_object_get(evidence, "bytes");
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool any = false;

	if (json_is_integer(tables)) {
		bm_words_count(&text, json_integer_value(tables), "table", NULL);
	}
	if (json_is_integer(bytes)) {
		bm_strbuf_puts(&text, text.length > 0 ? ", " : "");
		bm_words_size(&text, json_integer_value(bytes));
	}
	for (size_t i = 0; i < BM_COUNT_OF(severities); i++) {
		int64_t count = json_integer_value(json_object_get(evidence, severities[i]));
		if (count > 0) {
			bm_strbuf_puts(&text,
					any				  ? ", "
							: text.length > 0 ? "; found: "
									  : "Found: ");
			bm_words_count(&text, count,
					i == 2			 ? "note"
							: i == 1 ? "that degrades"
								 : "that stops it",
					i == 2			 ? NULL
							: i == 1 ? "that degrade"
								 : "that stop it");
			any = true;
		}
	}
	if (text.length > 0) {
		bm_strbuf_puts(out, "  ");
		cli_text_wrapped(bm_strbuf_text(&text), 2, 2, out);
	}
	bm_strbuf_finish(&text);
}
