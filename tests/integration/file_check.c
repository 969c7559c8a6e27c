/* Small files, configuration files and pgpass on a real file system; driven by test_files.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/file.h"

/* Each test runs in a new, empty folder. */
static char folder[] = "/tmp/bm-files-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	umask(022);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 ? bm_file_remove_tree(folder, NULL) : -1;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_content(const char *path, const char *wanted)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	assert_int_equal(bm_file_load(path, 1000, &text, NULL), 0);
	assert_string_equal(bm_strbuf_text(&text), wanted);
	bm_strbuf_finish(&text);
}

static mode_t mode_of(const char *path)
{
	struct stat info;

	assert_int_equal(lstat(path, &info), 0);
	return info.st_mode & 07777;
}

static void test_replacing_gives_the_content_and_the_rights(void **state)
{
	(void)state;
	write_file("f", "old", 0644);
	assert_int_equal(bm_file_replace("f", "new", 3, 0600, NULL), 0);
	assert_content("f", "new");
	assert_int_equal(mode_of("f"), 0600);
	assert_false(bm_file_exists("f.new"));
}

static void test_replacing_never_writes_into_what_lies_in_the_way(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("f.new", 0666), 0);
	assert_int_equal(bm_file_replace("f", "new", 3, 0600, NULL), 0);
	assert_content("f", "new");
	write_file("victim", "safe", 0644);
	assert_int_equal(symlink("victim", "f.new"), 0);
	assert_int_equal(bm_file_replace("f", "newer", 5, 0600, NULL), 0);
	assert_content("f", "newer");
	assert_content("victim", "safe");
}

static void test_replacing_works_in_a_folder_named_by_a_link(void **state)
{
	(void)state;
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(symlink("real", "link"), 0);
	assert_int_equal(bm_file_replace("link/f", "x", 1, 0600, NULL), 0);
	assert_content("real/f", "x");
	assert_int_equal(bm_file_rename("link/f", "link/g", NULL), 0);
	assert_content("real/g", "x");
}

static void test_a_replacement_that_fails_leaves_the_old_file(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;

	assert_int_equal(mkdir("f", 0700), 0);
	write_file("f/inside", "x", 0600);
	assert_int_equal(bm_file_replace("f", "new", 3, 0600, &err), -1);
	assert_int_equal(err.code, BM_ERR_IO);
	assert_non_null(strstr(err.message, "cannot write 'f'"));
	assert_content("f/inside", "x");
	assert_false(bm_file_exists("f.new"));
}

static void test_loading_is_bounded_and_never_waits(void **state)
{
	(void)state;
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;

	bm_strbuf_puts(&text, "before");
	write_file("f", "12345", 0600);
	assert_int_equal(bm_file_load("f", 4, &text, &err), -1);
	assert_int_equal(err.code, BM_ERR_PRECONDITION);
	assert_int_equal(bm_file_load("/dev/zero", 10000, &text, &err), -1);
	assert_int_equal(bm_file_load("absent", 4, &text, &err), -1);
	assert_int_equal(err.code, BM_ERR_IO);
	assert_int_equal(bm_file_load(".", 4, &text, &err), -1);
	assert_string_equal(bm_strbuf_text(&text), "before");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(bm_file_load("fifo", 4, &text, &err), 0);
	assert_int_equal(bm_file_load("f", 5, &text, &err), 0);
	assert_string_equal(bm_strbuf_text(&text), "before12345");
	bm_strbuf_finish(&text);
}

static void test_folders_are_made_and_a_file_in_the_way_is_told(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;

	assert_int_equal(bm_file_make_folders("a/b//c/", 0750, &err), 0);
	assert_int_equal(bm_file_make_folders("a/b/c", 0750, &err), 0);
	assert_int_equal(mode_of("a/b/c"), 0750);
	write_file("a/f", "x", 0600);
	assert_int_equal(bm_file_make_folders("a/f", 0750, &err), -1);
	assert_non_null(strstr(err.message, "cannot create folder 'a/f': File exists"));
	assert_int_equal(bm_file_make_folders("a/f/g", 0750, &err), -1);
	assert_int_equal(bm_file_make_folders("", 0750, &err), -1);
	assert_int_equal(bm_file_make_folders("/", 0750, &err), 0);
}

static void test_removing_a_tree_follows_no_link_and_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(bm_file_make_folders("t/a/b/c", 0700, NULL), 0);
	assert_int_equal(mkdir("kept", 0700), 0);
	write_file("kept/f", "x", 0600);
	write_file("t/a/f", "x", 0400);
	assert_int_equal(symlink("../../kept", "t/a/link"), 0);
	assert_int_equal(mkfifo("t/fifo", 0600), 0);
	assert_int_equal(bm_file_remove_tree("t", NULL), 0);
	assert_false(bm_file_exists("t"));
	assert_content("kept/f", "x");
	assert_int_equal(bm_file_remove_tree("t", NULL), 0);
}

/* ---- configuration files ---- */

static void assert_refused(const char *path, const char *wanted)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;

	assert_null(bm_config_load(path, &errors));
	if (strstr(bm_strbuf_text(&errors), wanted) == NULL) {
		fail_msg("wanted '%s', got '%s'", wanted, bm_strbuf_text(&errors));
	}
	bm_strbuf_finish(&errors);
}

static void test_only_a_regular_file_is_read_as_configuration(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_refused("fifo", "fifo: 'fifo' is not a regular file");
	assert_refused(".", "is not a regular file");
	assert_refused("/dev/zero", "is not a regular file");
	assert_refused("absent", "absent: cannot read 'absent': No such file or directory");
	write_file("huge", "", 0600);
	assert_int_equal(truncate("huge", BM_CONFIG_LIMIT_BYTES + 1), 0);
	assert_refused("huge", "limit 1048576 bytes");
	write_file("bad", "version: 1\nlog: {level: x}\n", 0600);
	assert_refused("bad", "bad:2:14: log.level: found 'x'");
}

static void test_a_configuration_is_read_through_kubernetes_links(void **state)
{
	(void)state;
	struct bm_strbuf errors = BM_STRBUF_INIT;

	assert_int_equal(mkdir("..1", 0700), 0);
	write_file("..1/machine.yaml", "version: 1\nlog: {level: debug}\n", 0644);
	assert_int_equal(symlink("..1", "..data"), 0);
	assert_int_equal(symlink("..data/machine.yaml", "machine.yaml"), 0);
	struct bm_config *config = bm_config_load("machine.yaml", &errors);
	assert_string_equal(bm_strbuf_text(&errors), "");
	assert_int_equal(config->log_level, BM_LOG_DEBUG);
	bm_config_destroy(config);
	bm_strbuf_finish(&errors);
}

/* ---- pgpass ---- */

/* Refresh `to` from `from`; the result, and that `wanted` ("": nothing) was warned of. */
static int refresh(const char *from, const char *wanted)
{
	struct bm_strbuf warnings = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	int rc = bm_pgpass_refresh(from, "to", &warnings, &err);
	const char *said = rc < 0 ? err.message : bm_strbuf_text(&warnings);

	if (strstr(said, wanted) == NULL || (wanted[0] == '\0' && said[0] != '\0')) {
		fail_msg("wanted '%s', got '%s'", wanted, said);
	}
	assert_null(strstr(said, "hunter2"));
	bm_strbuf_finish(&warnings);
	return rc;
}

static void test_the_copy_follows_the_secret(void **state)
{
	(void)state;
	write_file("from", "h:1:d:u:hunter2\n", 0600);
	assert_int_equal(refresh("from", ""), 1);
	assert_content("to", "h:1:d:u:hunter2\n");
	assert_int_equal(mode_of("to"), 0600);
	assert_int_equal(refresh("from", ""), 0);
	write_file("from", "h:1:d:u:hunter23", 0640);
	assert_int_equal(refresh("from", ""), 1);
	assert_content("to", "h:1:d:u:hunter23");
}

static void test_a_copy_that_others_changed_is_made_anew(void **state)
{
	(void)state;
	write_file("from", "h:1:d:u:hunter2\n", 0600);
	assert_int_equal(refresh("from", ""), 1);
	assert_int_equal(chmod("to", 0644), 0);
	assert_int_equal(refresh("from", ""), 1);
	assert_int_equal(mode_of("to"), 0600);
	assert_int_equal(unlink("to"), 0);
	assert_int_equal(symlink("from", "to"), 0);
	assert_int_equal(refresh("from", ""), 1);
	assert_int_equal(unlink("from"), 0);
	assert_content("to", "h:1:d:u:hunter2\n");
}

static void test_a_missing_secret_is_told_and_the_last_copy_stays(void **state)
{
	(void)state;
	assert_int_equal(refresh("from", "from: is not there"), 0);
	assert_false(bm_file_exists("to"));
	write_file("from", "h:1:d:u:hunter2\n", 0600);
	assert_int_equal(refresh("from", ""), 1);
	assert_int_equal(unlink("from"), 0);
	assert_int_equal(refresh("from", "from: is not there"), 0);
	assert_content("to", "h:1:d:u:hunter2\n");
}

static void test_what_is_no_file_or_too_big_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(refresh("fifo", "'fifo' is not a regular file"), -1);
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(refresh("folder", "'folder' is not a regular file"), -1);
	write_file("huge", "", 0600);
	assert_int_equal(truncate("huge", 1024 * 1024 + 1), 0);
	assert_int_equal(refresh("huge", "limit 1048576 bytes"), -1);
	assert_false(bm_file_exists("to"));
}

static void test_a_secret_that_cannot_be_read_is_told_with_the_hint(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		/* Root reads everything: look at it as somebody else. */
		assert_int_equal(chown(".", 65534, 65534), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	write_file("from", "h:1:d:u:hunter2\n", 0000);
	int rc = refresh("from", "with fsGroup and defaultMode 0440, elsewhere with chown");
	if (getuid() == 0) {
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(rc, -1);
}

static void test_malformed_lines_are_told_and_the_copy_is_made(void **state)
{
	(void)state;
	write_file("from", "h:1:d:u:hunter2\nhunter2\n", 0600);
	assert_int_equal(refresh("from", "from: line 2: has fewer than 5 fields"), 1);
	assert_content("to", "h:1:d:u:hunter2\nhunter2\n");
}

static void test_wide_rights_are_told_outside_of_kubernetes_only(void **state)
{
	(void)state;
	write_file("from", "h:1:d:u:hunter2\n", 0644);
	assert_int_equal(
			refresh("from", "everyone on its host may read the passwords (mode 0644)"),
			1);
	assert_int_equal(chmod("from", 0660), 0);
	assert_int_equal(refresh("from", "others may change it (mode 0660)"), 0);
	assert_int_equal(mkdir("..1", 0755), 0);
	write_file("..1/pgpass", "h:1:d:u:hunter2\n", 0644);
	assert_int_equal(symlink("..1", "..data"), 0);
	assert_int_equal(symlink("..data/pgpass", "pgpass"), 0);
	assert_int_equal(refresh("pgpass", ""), 0);
	/* Kubernetes swaps the inner link. */
	assert_int_equal(mkdir("..2", 0755), 0);
	write_file("..2/pgpass", "h:1:d:u:hunter23\n", 0644);
	assert_int_equal(symlink("..2", "..data_tmp"), 0);
	assert_int_equal(rename("..data_tmp", "..data"), 0);
	assert_int_equal(refresh("pgpass", ""), 1);
	assert_content("to", "h:1:d:u:hunter23\n");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
			IN_FOLDER(test_replacing_gives_the_content_and_the_rights),
			IN_FOLDER(test_replacing_never_writes_into_what_lies_in_the_way),
			IN_FOLDER(test_replacing_works_in_a_folder_named_by_a_link),
			IN_FOLDER(test_a_replacement_that_fails_leaves_the_old_file),
			IN_FOLDER(test_loading_is_bounded_and_never_waits),
			IN_FOLDER(test_folders_are_made_and_a_file_in_the_way_is_told),
			IN_FOLDER(test_removing_a_tree_follows_no_link_and_leaves_nothing),
			IN_FOLDER(test_only_a_regular_file_is_read_as_configuration),
			IN_FOLDER(test_a_configuration_is_read_through_kubernetes_links),
			IN_FOLDER(test_the_copy_follows_the_secret),
			IN_FOLDER(test_a_copy_that_others_changed_is_made_anew),
			IN_FOLDER(test_a_missing_secret_is_told_and_the_last_copy_stays),
			IN_FOLDER(test_what_is_no_file_or_too_big_is_refused),
			IN_FOLDER(test_a_secret_that_cannot_be_read_is_told_with_the_hint),
			IN_FOLDER(test_malformed_lines_are_told_and_the_copy_is_made),
			IN_FOLDER(test_wide_rights_are_told_outside_of_kubernetes_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
