#include "client/verify/verify_report.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/terminal/text.h"
#include "client/verify/verify_statements.h"

/* Rows that differ, of one table, on the page; the JSON beside it has more. */
#define ROWS_SHOWN 100

/* ---- the files ---- */

/* "proof.json" of "proof.html" and of "proof"; free(). */
static char *json_path(const char *path)
{
	size_t length = strlen(path);
	bool is_html = length > 5 && strcmp(path + length - 5, ".html") == 0;

	return bm_format("%.*s.json", (int)(is_html ? length - 5 : length), path);
}

static int check_one(const char *path, struct bm_error *err)
{
	char *probe = bm_format("%s.new", path);
	struct stat info;
	int fd = -1;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"--report %s: there is something that is no file", path);
	} else if ((fd = open(probe, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0) {
		bm_error_set(err, BM_ERR_IO, "--report %s cannot be written: %m", path);
	} else {
		close(fd);
		unlink(probe);
	}
	free(probe);
	return fd >= 0 ? 0 : -1;
}

int cli_verify_report_check(const char *path, struct bm_error *err)
{
	char *json = json_path(path);
	int rc = check_one(path, err) == 0 ? check_one(json, err) : -1;

	free(json);
	return rc;
}

/* ---- pieces of the page ---- */

/* Names and values come from databases: nothing of them is ever markup. */
static void put_text(struct bm_strbuf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			bm_strbuf_puts(out, "&amp;");
			break;
		case '<':
			bm_strbuf_puts(out, "&lt;");
			break;
		case '>':
			bm_strbuf_puts(out, "&gt;");
			break;
		case '"':
			bm_strbuf_puts(out, "&quot;");
			break;
		case '\'':
			bm_strbuf_puts(out, "&#39;");
			break;
		default:
			bm_strbuf_putc(out, (unsigned char)*p < ' ' && *p != '\n' ? ' ' : *p);
		}
	}
}

static void put_in(struct bm_strbuf *out, const char *tag, const char *text)
{
	bm_strbuf_printf(out, "<%s>", tag);
	put_text(out, text);
	bm_strbuf_printf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}

static void put_number(struct bm_strbuf *out, const char *tag, const json_t *number)
{
	char text[32] = "";

	if (json_is_integer(number)) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(number));
	}
	put_in(out, tag, text);
}

/* "<tr><th>name</th><td>...</td></tr>" with a cell for each side. */
static void put_sides(struct bm_strbuf *out, const char *name, const json_t *report,
		const char *member)
{
	bm_strbuf_puts(out, "<tr>");
	put_in(out, "th", name);
	for (int side = 0; side < 2; side++) {
		const json_t *value = json_object_get(
				json_object_get(report, side == 0 ? "source" : "destination"),
				member);
		if (json_is_integer(value)) {
			put_number(out, "td", value);
		} else {
			put_in(out, "td",
					json_is_string(value) ? json_string_value(value) : "");
		}
	}
	bm_strbuf_puts(out, "</tr>\n");
}

/* ---- the chapters ---- */

static const char head[] =
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>Is everything there? - bucardo-machine verify</title>\n<style>\n"
		"body{font:15px/1.45 sans-serif;color:#111;background:#fff;max-width:74em;"
		"margin:2em auto;padding:0 1em}\n"
		"h1{font-size:1.7em}h2{font-size:1.25em;margin-top:2em}h3{font-size:1em}\n"
		"table{border-collapse:collapse;width:100%}th,td{border:1px solid #bbb;"
		"padding:.25em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere;"
		"unicode-bidi:isolate}\n"
		"td.n{text-align:right;font-variant-numeric:tabular-nums}th{background:#f2f2f2}\n"
		"td.t,td.equal,td.in_flight,td.unproven,td.different{white-space:nowrap}thead th{overflow-wrap:break-word}\n"
		"pre{background:#f6f6f6;border:1px solid #ddd;padding:.5em;white-space:pre-wrap;"
		"overflow-wrap:anywhere}\n"
		".result{font-size:1.2em;font-weight:bold;border:2px solid;padding:.6em .8em}\n"
		".equal{color:#0a5c2b}.in_flight,.unproven{color:#7a4b00}.different{color:#a00}\n"
		"@media print{body{font-size:10pt;margin:0;max-width:none}tr,pre{break-inside:"
		"avoid}h2,h3{break-after:avoid}thead{display:table-header-group}}\n"
		"</style></head><body>\n<h1>Is everything there?</h1>\n";

static void count_states(const json_t *objects, size_t counts[BM_PROOF_COUNT])
{
	size_t index;
	const json_t *object;

	json_array_foreach(objects, index, object)
	{
		for (enum bm_proof proof = 0; proof < BM_PROOF_COUNT; proof++) {
			counts[proof] += strcmp(bm_proof_name(proof),
							 cli_text_of(object, "state")) == 0;
		}
	}
}

static void put_verdict(struct bm_strbuf *out, const json_t *report, enum bm_proof result)
{
	static const char *const sentences[] = {
			[BM_PROOF_EQUAL] =
					"Everything that was compared is proven equal on both "
					"sides",
			[BM_PROOF_IN_FLIGHT] =
					"Everything is equal but for rows that were under "
					"way",
			[BM_PROOF_UNPROVEN] =
					"No difference was found, but not everything could "
					"be proven equal",
			[BM_PROOF_DIFFERENT] = "The databases differ"};
	size_t counts[BM_PROOF_COUNT] = {0};

	count_states(json_object_get(report, "objects"), counts);
	bm_strbuf_printf(out,
			"<p class=\"result %s\">%s: %zu equal, %zu in flight, %zu unproven, %zu "
			"different.</p>\n",
			bm_proof_name(result), sentences[result], counts[BM_PROOF_EQUAL],
			counts[BM_PROOF_IN_FLIGHT], counts[BM_PROOF_UNPROVEN],
			counts[BM_PROOF_DIFFERENT]);
}

static void put_servers(struct bm_strbuf *out, const json_t *report)
{
	static const struct {
		const char *name, *member;
	} rows[] = {{"Host", "host"}, {"Address of the server", "address"}, {"Port", "port"},
			{"System identifier", "system_identifier"}, {"Database", "database"},
			{"PostgreSQL", "version"}, {"Encoding", "encoding"},
			{"Collation", "collation"}, {"Our role", "role"}};

	bm_strbuf_puts(out,
			"<h2>What was compared</h2>\n<table><thead><tr><th></th><th>Source</th>"
			"<th>Destination</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
		put_sides(out, rows[i].name, report, rows[i].member);
	}
	bm_strbuf_puts(out, "</tbody></table>\n");
}

/* "2026-01-31T10:00:00.000Z", or with a blank as servers write it. */
static bool is_before(const char *one, const char *other)
{
	int days = strncmp(one, other, 10);

	return strlen(one) > 10 && strlen(other) > 10 &&
			(days < 0 || (days == 0 && strcmp(one + 11, other + 11) < 0));
}

/* When it was found to be so: of a table the time of its oldest proof. */
static const char *time_of(const json_t *report, const json_t *object)
{
	const char *proof = cli_text_of(object, "oldest_proof");
	const char *at = cli_text_of(object, "at");

	return proof[0] != '\0' ? proof : at[0] != '\0' ? at : cli_text_of(report, "ended");
}

static const char *oldest_proof(const json_t *report)
{
	const char *oldest = cli_text_of(report, "ended");
	size_t index;
	const json_t *object;

	json_array_foreach(json_object_get(report, "objects"), index, object)
	{
		const char *at = time_of(report, object);
		if (strcmp(cli_text_of(object, "state"), "equal") == 0 &&
				is_before(at, oldest)) {
			oldest = at;
		}
	}
	return oldest;
}

static void put_fact(struct bm_strbuf *out, const char *name, const char *value)
{
	bm_strbuf_puts(out, "<tr>");
	put_in(out, "th", name);
	put_in(out, "td", value);
	bm_strbuf_puts(out, "</tr>\n");
}

static void put_settings(struct bm_strbuf *out, const json_t *settings)
{
	const char *name;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)settings, name, value)
	{
		char *text = json_is_string(value) ? bm_strdup(json_string_value(value))
						   : json_dumps(value, JSON_ENCODE_ANY);
		put_fact(out, name, text != NULL ? text : "");
		free(text);
	}
}

static void put_method(struct bm_strbuf *out, const json_t *report)
{
	const char *hash = cli_text_of(report, "hash");

	bm_strbuf_puts(out,
			"<h2>How</h2>\n<p>Each range of a table is read on both sides at one "
			"moment: first the snapshot of the destination is taken, then that of the "
			"source, and the rows whose changes were captured and not applied by then "
			"are known to be under way and set apart. Of all others each server counts "
			"the rows and sums two hashes of every column of every row. Where the sums "
			"differ, the rows are compared one by one by their keys; a row is called "
			"different when two looks at two later moments say so. Definitions are "
			"compared as both catalogs write them, large objects by a SHA-256 of their "
			"bytes.</p>\n<table><tbody>\n");
	put_fact(out, "Begun", cli_text_of(report, "begun"));
	put_fact(out, "Ended", cli_text_of(report, "ended"));
	put_fact(out, "Oldest proof", oldest_proof(report));
	put_fact(out, "Hash of rows",
			strcmp(hash, "native") == 0
					? "hashtextextended and its relatives, which gave the same on "
					  "both servers"
					: strcmp(hash, "sha256") == 0
					? "SHA-256"
					: "of each table as it was compared; not kept");
	put_settings(out, json_object_get(report, "settings"));
	bm_strbuf_puts(out, "</tbody></table>\n");
}

static void put_objects(struct bm_strbuf *out, const json_t *report)
{
	size_t index;
	const json_t *object;

	bm_strbuf_puts(out,
			"<h2>What was found</h2>\n<table><thead><tr><th>State</th><th>What</th>"
			"<th>Name</th><th>Rows of the source</th><th>Rows of the destination</th>"
			"<th>Equal, in all</th><th>When</th><th>Remark</th></tr></thead><tbody>\n");
	json_array_foreach(json_object_get(report, "objects"), index, object)
	{
		bm_strbuf_puts(out, "<tr><td class=\"");
		put_text(out, cli_text_of(object, "state"));
		bm_strbuf_puts(out, "\">");
		put_text(out, cli_text_of(object, "state"));
		bm_strbuf_puts(out, "</td>");
		put_in(out, "td", cli_text_of(object, "kind"));
		put_in(out, "td", cli_text_of(object, "name"));
		put_number(out, "td class=\"n\"", json_object_get(object, "rows"));
		put_number(out, "td class=\"n\"", json_object_get(object, "rows_destination"));
		put_number(out, "td class=\"n\"", json_object_get(object, "equal"));
		put_in(out, "td class=\"t\"", time_of(report, object));
		put_in(out, "td", cli_text_of(object, "why"));
		bm_strbuf_puts(out, "</tr>\n");
	}
	bm_strbuf_puts(out, "</tbody></table>\n");
}

/* ---- differences ---- */

static void put_code(struct bm_strbuf *out, const char *what, const char *sql)
{
	if (sql[0] != '\0') {
		put_in(out, "p", what);
		put_in(out, "pre", sql);
	}
}

static void put_columns(struct bm_strbuf *out, const json_t *columns)
{
	const char *name, *separator = "";
	const json_t *values;

	bm_strbuf_puts(out, "<td>");
	json_object_foreach((json_t *)(uintptr_t)columns, name, values)
	{
		bm_strbuf_puts(out, separator);
		put_text(out, name);
		if (json_object_size(values) > 0) {
			char *text = json_dumps(values, JSON_COMPACT);
			bm_strbuf_puts(out, " ");
			put_text(out, text != NULL ? text : "");
			free(text);
		}
		separator = "<br>";
	}
	bm_strbuf_puts(out, "</td>");
}

static void put_rows(struct bm_strbuf *out, const json_t *object)
{
	const json_t *rows = json_object_get(object, "differences");
	size_t index;
	const json_t *row;

	if (json_array_size(rows) == 0) {
		return;
	}
	bm_strbuf_puts(out,
			"<table><thead><tr><th>Row</th><th>Columns</th><th>Look at it, on either "
			"side</th></tr></thead><tbody>\n");
	json_array_foreach(rows, index, row)
	{
		struct bm_strbuf sql = BM_STRBUF_INIT;
		if (index == ROWS_SHOWN) {
			break;
		}
		cli_verify_row_statement(object, row, &sql);
		bm_strbuf_puts(out, "<tr>");
		put_in(out, "td", cli_text_of(row, "kind"));
		put_columns(out, json_object_get(row, "columns"));
		put_in(out, "td", bm_strbuf_text(&sql));
		bm_strbuf_puts(out, "</tr>\n");
		bm_strbuf_finish(&sql);
	}
	bm_strbuf_puts(out, "</tbody></table>\n");
	if (json_array_size(rows) > ROWS_SHOWN ||
			json_is_true(json_object_get(object, "is_cut"))) {
		bm_strbuf_puts(out,
				"<p>There are more; the JSON beside this page names up to "
				"1,000.</p>\n");
	}
}

static void put_difference(struct bm_strbuf *out, const json_t *object)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(out, "<h3>");
	put_text(out, cli_text_of(object, "kind"));
	bm_strbuf_puts(out, " ");
	put_text(out, cli_text_of(object, "name"));
	bm_strbuf_puts(out, "</h3>\n");
	if (cli_text_of(object, "why")[0] != '\0') {
		put_in(out, "p", cli_text_of(object, "why"));
	}
	put_code(out, "The source has:", cli_text_of(object, "source"));
	put_code(out, "The destination has:", cli_text_of(object, "destination"));
	put_rows(out, object);
	cli_verify_statement(object, &sql);
	put_code(out, "To see it, on the source:", bm_strbuf_text(&sql));
	put_code(out, "To see it, on the destination:", bm_strbuf_text(&sql));
	put_code(out, "This makes the destination like the source:",
			cli_text_of(object, "statement"));
	bm_strbuf_finish(&sql);
}

static void put_differences(struct bm_strbuf *out, const json_t *report, enum bm_proof result)
{
	size_t index;
	const json_t *object;

	bm_strbuf_puts(out, "<h2>Differences</h2>\n");
	if (result != BM_PROOF_DIFFERENT) {
		bm_strbuf_puts(out, "<p>None.</p>\n");
	}
	json_array_foreach(json_object_get(report, "objects"), index, object)
	{
		if (strcmp(cli_text_of(object, "state"), bm_proof_name(BM_PROOF_DIFFERENT)) ==
				0) {
			put_difference(out, object);
		}
	}
}

/* ---- */

void cli_verify_report_page(const json_t *report, enum bm_proof result, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, head);
	put_verdict(out, report, result);
	put_servers(out, report);
	put_method(out, report);
	put_objects(out, report);
	put_differences(out, report, result);
	bm_strbuf_puts(out, "<hr><p>bucardo-machine " BM_VERSION "</p>\n</body></html>\n");
}

int cli_verify_report_write(const char *path, const json_t *report, enum bm_proof result,
		struct bm_error *err)
{
	struct bm_strbuf page = BM_STRBUF_INIT;
	char *json = json_dumps(report, JSON_INDENT(2));
	char *beside = json_path(path);

	cli_verify_report_page(report, result, &page);
	int rc = json != NULL ? bm_file_replace(beside, json, strlen(json), 0644, err)
			      : bm_error_set(err, BM_ERR_INTERNAL, "the report is no JSON");
	if (rc == 0) {
		rc = bm_file_replace(path, bm_strbuf_text(&page), page.length, 0644, err);
	}
	bm_strbuf_finish(&page);
	free(json);
	free(beside);
	return rc;
}
