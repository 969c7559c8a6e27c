/*
 * `support-bundle`: all that somebody far away needs to see what is wrong, in one archive,
 * without a secret. It asks, and changes nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/job.h"
#include "client/support/bundle.h"

#define NAME "bucardo-machine-support"
#define ARCHIVE_MSEC 60000
#define SECRET_BYTES ((size_t)1024 * 1024)

static const char readme[] =
		"Made by `bucardo-machine support-bundle`. Passwords of pgpass and whatever looks like\n"
		"a secret were taken out: read it through before you send it on. Names of hosts, roles,\n"
		"tables and statements are in it.\n\n"
		"status.json      docs/status.md explains it\n"
		"events.jsonl     what happened, the newest last\n"
		"config.yaml      the configuration in force; machine.yaml: the file on the volume\n"
		"database-*.json  tables of the control database, 1,000 rows of each\n"
		"host.txt         limits and load; volume.txt, runtime.txt, processes.txt\n"
		"errors.txt       what could not be had, and why\n\n"
		"The log is not kept in the pod; beside this, keep\n"
		"  kubectl logs POD > log.txt; kubectl logs --previous POD > log-before.txt\n";

void bundle_write(struct bundle *bundle, const char *name, const char *text)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf clean = BM_STRBUF_INIT;
	char *path = bm_format("%s/%s", bundle->folder, name);

	cli_redact(bundle->redactor, text, &clean);
	size_t length = clean.length < BUNDLE_PART_BYTES ? clean.length : BUNDLE_PART_BYTES;
	if (length < clean.length) {
		bundle_fail(bundle, name, "it was cut at 4 MiB");
	}
	if (bm_file_replace(path, bm_strbuf_text(&clean), length, 0600, &err) != 0) {
		bundle_fail(bundle, name, err.message);
	}
	free(path);
	bm_strbuf_finish(&clean);
}

void bundle_fail(struct bundle *bundle, const char *name, const char *why)
{
	bm_strbuf_printf(&bundle->errors, "%s: %s\n", name, why);
}

/* ---- what is known to be secret ---- */

static void learn(struct bundle *bundle, const char *path, bool is_pgpass)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (bm_file_load(path, SECRET_BYTES, &text, &err) != 0) {
		return;
	}
	if (is_pgpass) {
		cli_redactor_add_pgpass(bundle->redactor, bm_strbuf_text(&text));
	} else {
		size_t length = strcspn(bm_strbuf_text(&text), "\r\n");
		text.text[length] = '\0';
		cli_redactor_add(bundle->redactor, text.text);
	}
	explicit_bzero(text.text, text.length);
	bm_strbuf_finish(&text);
}

/* Files that machine.yaml names, whose first line is a secret. The text is searched, not read
 * as YAML: a file that is refused for an error is in the bundle as well. */
static void learn_files(struct bundle *bundle)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf text = BM_STRBUF_INIT;
	char *path = bm_format("%s/machine.yaml", bundle->call->volume);

	if (bm_file_load(path, SECRET_BYTES, &text, &err) == 0) {
		for (char *at = text.text; (at = strstr(at, "_file:")) != NULL; at++) {
			char file[4096];
			if (sscanf(at + 6, " %*[\"']%4095[^\"'\n]", file) == 1 ||
					sscanf(at + 6, " %4095[^ #,}\n]", file) == 1) {
				learn(bundle, file, false);
			}
		}
	}
	free(path);
	bm_strbuf_finish(&text);
}

static void learn_secrets(struct bundle *bundle)
{
	static const char *const variables[] = {"PGPASSWORD", "PGSSLPASSWORD"};
	char *pgpass = bm_format("%s/pgpass", bundle->call->runtime);

	learn(bundle, pgpass, true);
	learn(bundle, bundle->call->pgpass, true);
	learn_files(bundle);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (getenv(variables[i]) != NULL) {
			cli_redactor_add(bundle->redactor, getenv(variables[i]));
		}
	}
	free(pgpass);
}

/* ---- the archive ---- */

struct packing {
	struct bm_loop *loop;
	struct bm_error *err;
	int rc;
};

static void on_packed(void *ctx, const struct bm_job_result *result)
{
	struct packing *packing = ctx;

	if (result->error.code != BM_ERR_NONE) {
		*packing->err = result->error;
	} else if (WIFEXITED(result->status) && WEXITSTATUS(result->status) == 0) {
		packing->rc = 0;
	} else {
		bm_error_set(packing->err, BM_ERR_IO, "tar could not write the archive: %s",
				result->tail);
	}
	bm_loop_stop(packing->loop);
}

static int pack(struct bundle *bundle, const char *archive, struct bm_error *err)
{
	struct packing packing = {.loop = bundle->loop, .err = err, .rc = -1};
	char *above = bm_strdup(bundle->folder);

	*strrchr(above, '/') = '\0';
	const char *const argv[] = {"tar", "-c", "-z", "-f", archive, "-C", above, "--owner=0",
			"--group=0", strrchr(bundle->folder, '/') + 1, NULL};
	bm_job_start(bundle->loop, "tar", argv, NULL, NULL, ARCHIVE_MSEC, on_packed, &packing);
	bm_loop_run(bundle->loop);
	free(above);
	return packing.rc;
}

static int put_on_stdout(const char *archive, struct bm_error *err)
{
	char part[65536];
	FILE *in = fopen(archive, "re");
	size_t length;

	if (in == NULL) {
		return bm_error_set(err, BM_ERR_IO, "cannot read '%s': %m", archive);
	}
	while ((length = fread(part, 1, sizeof(part), in)) > 0) {
		fwrite(part, 1, length, stdout);
	}
	fclose(in);
	return 0;
}

/* ---- the command ---- */

static void collect(struct bundle *bundle)
{
	learn_secrets(bundle);
	bundle_write(bundle, "README.txt", readme);
	bundle_add_machine(bundle);
	bundle_add_system(bundle);
	bundle_add_database(bundle);
	bundle_write(bundle, "errors.txt", bm_strbuf_text(&bundle->errors));
}

/* A folder of our own beside nobody else's: the runtime folder is memory, and may be full. */
static char *make_folder(struct bm_error *err)
{
	const char *temporary = getenv("TMPDIR");
	char *above = bm_format("%s/" NAME ".XXXXXX",
			temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
	char *folder = mkdtemp(above) != NULL ? bm_format("%s/" NAME, above) : NULL;

	if (folder == NULL || mkdir(folder, 0700) != 0) {
		bm_error_set(err, BM_ERR_IO,
				"cannot make a folder '%s': %m; TMPDIR names another place",
				above);
		free(folder);
		folder = NULL;
	}
	free(above);
	return folder;
}

static char *default_name(void)
{
	char at[BM_CLOCK_TEXT_SIZE];

	bm_clock_format(bm_clock_wall_msec(), at);
	at[strcspn(at, ".")] = '\0';
	for (char *colon; (colon = strchr(at, ':')) != NULL;) {
		memmove(colon, colon + 1, strlen(colon));
	}
	return bm_format(NAME "-%sZ.tar.gz", at);
}

static bool can_be_written(const char *output)
{
	int file = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (file >= 0) {
		close(file);
	}
	return file >= 0;
}

/* Before anything is gathered: whether the archive can stand where it is to be. */
static int check_place(const char *output, struct bm_error *err)
{
	bool is_new = access(output, F_OK) != 0;

	if (strcmp(output, "-") == 0) {
		return 0;
	}
	if (!can_be_written(output)) {
		return bm_error_set(err, BM_ERR_IO,
				"cannot write '%s': %m; name another place: --output FILE",
				output);
	}
	return is_new ? unlink(output) : 0;
}

/* Ctrl-C: what waits ends, and the folder goes. */
static void on_signal(void *ctx, int signo)
{
	struct bundle *bundle = ctx;

	bundle->is_interrupted |= signo == SIGINT || signo == SIGTERM || signo == SIGHUP;
	if (bundle->is_interrupted) {
		bm_loop_stop(bundle->loop);
	}
}

static int make(struct bundle *bundle, const char *output, struct bm_error *err)
{
	char *archive = bm_format("%s.tar.gz", bundle->folder);
	bool to_stdout = strcmp(output, "-") == 0;

	collect(bundle);
	int rc = bundle->is_interrupted ? bm_error_set(err, BM_ERR_IO, "interrupted")
					: pack(bundle, to_stdout ? archive : output, err);
	if (rc == 0 && to_stdout) {
		rc = put_on_stdout(archive, err);
	}
	free(archive);
	return rc;
}

int cli_support_bundle(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT, ignored = BM_ERROR_INIT;
	struct bundle bundle = {.call = call, .redactor = cli_redactor_create()};
	char *output = call->output != NULL ? bm_strdup(call->output) : default_name();
	int rc = -1;

	umask(0077);
	bundle.folder = check_place(output, &err) == 0 ? make_folder(&err) : NULL;
	if (bundle.folder != NULL && bm_event_begin(&err) == 0 &&
			(bundle.loop = bm_loop_create(&err)) != NULL) {
		bm_loop_on_signal(bundle.loop, on_signal, &bundle);
		rc = make(&bundle, output, &err);
	}
	if (rc != 0) {
		fprintf(stderr, "bucardo-machine: support-bundle: %s\n", err.message);
	} else if (strcmp(output, "-") != 0) {
		printf("%s\nRead it through before you send it on: secrets were taken out, names were not.\n",
				output);
	}
	bm_loop_destroy(bundle.loop);
	if (bundle.folder != NULL) {
		*strrchr(bundle.folder, '/') = '\0';
		bm_file_remove_tree(bundle.folder, &ignored);
	}
	free(bundle.folder);
	bm_strbuf_finish(&bundle.errors);
	cli_redactor_destroy(bundle.redactor);
	free(output);
	return rc == 0 ? CLI_OK : CLI_FAILED;
}
