/* The control cluster: evaluating what is there, whose a process is, and the server's argv. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/postgres.h"
#include "daemon/postgres/cluster.h"

#define CONTROL_BYTES 8192
#define CRC_OFFSET 288
#define USER 1000

static const struct bm_cluster_paths paths = {
		.data_dir = "/volume/postgres/17",
		.socket_dir = "/run/machine",
		.bin_dir = "/usr/lib/postgresql/17/bin",
};

/* ---- argv ---- */

static size_t count(char **argv)
{
	size_t n = 0;

	while (argv[n] != NULL) {
		n++;
	}
	return n;
}

/* The value that the server will use: the last one named. NULL: not named. */
static const char *value_of(char **argv, const char *name)
{
	const char *value = NULL;
	size_t length = strlen(name);

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') {
			assert_string_equal(argv[i - 1], "-c");
			value = argv[i] + length + 1;
		}
	}
	return value;
}

static void test_the_server_listens_on_the_private_socket_only(void **state)
{
	(void)state;
	char **argv = bm_cluster_argv(&paths, NULL);

	assert_string_equal(argv[0], "/usr/lib/postgresql/17/bin/postgres");
	assert_string_equal(argv[1], "-D");
	assert_string_equal(argv[2], "/volume/postgres/17");
	assert_string_equal(value_of(argv, "listen_addresses"), "");
	assert_string_equal(value_of(argv, "unix_socket_directories"), "/run/machine");
	assert_string_equal(value_of(argv, "unix_socket_permissions"), "0700");
	bm_cluster_argv_free(argv);
}

static void test_the_server_is_durable(void **state)
{
	(void)state;
	char **argv = bm_cluster_argv(&paths, NULL);

	assert_string_equal(value_of(argv, "fsync"), "on");
	assert_string_equal(value_of(argv, "full_page_writes"), "on");
	assert_string_equal(value_of(argv, "synchronous_commit"), "on");
	bm_cluster_argv_free(argv);
}

static void test_settings_of_the_user_win_over_ours(void **state)
{
	(void)state;
	const char *const settings[] = {"shared_buffers=64MB", "work_mem=1MB", NULL};
	char **ours = bm_cluster_argv(&paths, NULL);
	char **argv = bm_cluster_argv(&paths, settings);

	assert_int_equal(count(argv), count(ours) + 4);
	assert_string_equal(value_of(argv, "shared_buffers"), "64MB");
	assert_string_equal(value_of(argv, "work_mem"), "1MB");
	bm_cluster_argv_free(ours);
	bm_cluster_argv_free(argv);
}

/* ---- inspection ---- */

static void test_a_version_is_a_number_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(bm_cluster_parse_version("17\n"), 17);
	assert_int_equal(bm_cluster_parse_version("15"), 15);
	assert_int_equal(bm_cluster_parse_version("9.6\n"), 9);
	assert_int_equal(bm_cluster_parse_version(""), 0);
	assert_int_equal(bm_cluster_parse_version("\n"), 0);
	assert_int_equal(bm_cluster_parse_version("17x"), 0);
	assert_int_equal(bm_cluster_parse_version("-17"), 0);
	assert_int_equal(bm_cluster_parse_version("\x7f\x45LF"), 0);
	assert_int_equal(bm_cluster_parse_version("99999999999999999999"), 0);
}

static void test_the_checksum_is_crc32c(void **state)
{
	(void)state;
	const char *text = "123456789"; /* the check value of RFC 3720's polynomial */

	assert_int_equal(bm_cluster_crc((const unsigned char *)text, 9), 0xe3069283);
}

/* The layouts of PostgreSQL 13 to 16, and 17. */
static const uint32_t control_versions[] = {1300, 1700};

static void make_control(unsigned char *data, uint32_t version)
{
	const uint64_t identifier = 7000000000000000001;
	const uint32_t catalog = 202209061, state_in_production = 6;

	memset(data, 0, CONTROL_BYTES);
	memcpy(data, &identifier, 8);
	memcpy(data + 8, &version, 4);
	memcpy(data + 12, &catalog, 4);
	memcpy(data + 16, &state_in_production, 4);
	uint32_t crc = bm_cluster_crc(data, CRC_OFFSET);
	memcpy(data + CRC_OFFSET, &crc, 4);
}

static void assert_insane(const unsigned char *data, size_t length, const char *expected)
{
	struct bm_strbuf why = BM_STRBUF_INIT;

	assert_false(bm_cluster_control_is_sane(data, length, &why));
	assert_non_null(strstr(bm_strbuf_text(&why), expected));
	bm_strbuf_finish(&why);
}

static void test_a_whole_control_file_is_accepted(void **state)
{
	(void)state;
	unsigned char data[CONTROL_BYTES];
	struct bm_strbuf why = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(control_versions); i++) {
		make_control(data, control_versions[i]);
		assert_true(bm_cluster_control_is_sane(data, sizeof(data), &why));
		assert_string_equal(bm_strbuf_text(&why), "");
	}
}

static void test_a_cut_control_file_is_refused(void **state)
{
	(void)state;
	unsigned char data[CONTROL_BYTES];

	make_control(data, control_versions[0]);
	assert_insane(data, 0, "0 bytes");
	assert_insane(data, 4096, "4096 bytes");
}

static void test_a_control_file_of_zeros_is_refused(void **state)
{
	(void)state;
	const unsigned char data[CONTROL_BYTES] = {0};

	assert_insane(data, sizeof(data), "no control data");
}

static void test_one_flipped_bit_in_the_control_file_is_seen(void **state)
{
	(void)state;
	unsigned char data[CONTROL_BYTES];

	for (size_t i = 0; i < BM_COUNT_OF(control_versions); i++) {
		for (size_t at = 20; at < CRC_OFFSET + 4; at += 13) {
			make_control(data, control_versions[i]);
			data[at] ^= 0x10;
			assert_insane(data, sizeof(data), "wrong checksum");
		}
	}
}

/* ---- leftovers ---- */

static struct bm_process process_titled(const char *title)
{
	struct bm_process process = {.pid = 42, .uid = USER, .state = 'S'};

	snprintf(process.title, sizeof(process.title), "%s", title);
	snprintf(process.cwd, sizeof(process.cwd), "%s", paths.data_dir);
	return process;
}

static enum bm_cluster_process classify(const struct bm_process *process)
{
	return bm_cluster_classify(process, paths.data_dir, USER);
}

static void test_a_postmaster_and_its_backends_are_told_apart(void **state)
{
	(void)state;
	struct bm_process postmaster = process_titled(
			"/usr/lib/postgresql/17/bin/postgres -D /volume/postgres/17");
	struct bm_process backend = process_titled("postgres: bucardo bucardo [local] idle");

	assert_int_equal(classify(&postmaster), BM_CLUSTER_POSTMASTER);
	assert_int_equal(classify(&backend), BM_CLUSTER_BACKEND);
}

static void test_other_programs_in_the_folder_are_left_alone(void **state)
{
	(void)state;
	static const char *const titles[] = {
			"bash", "vi postgres", "/bin/postgresql-tool", "postgres_exporter", ""};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		struct bm_process process = process_titled(titles[i]);
		assert_int_equal(classify(&process), BM_CLUSTER_NOT_OURS);
	}
}

static void test_a_server_of_another_folder_or_user_is_left_alone(void **state)
{
	(void)state;
	struct bm_process elsewhere = process_titled("postgres -D x");
	struct bm_process foreign = process_titled("postgres -D x");
	struct bm_process zombie = process_titled("postgres -D x");

	snprintf(elsewhere.cwd, sizeof(elsewhere.cwd), "/volume/postgres/17.new");
	foreign.uid = USER + 1;
	zombie.state = 'Z';
	assert_int_equal(classify(&elsewhere), BM_CLUSTER_NOT_OURS);
	assert_int_equal(classify(&foreign), BM_CLUSTER_NOT_OURS);
	assert_int_equal(classify(&zombie), BM_CLUSTER_NOT_OURS);
}

static void test_a_leftover_postmaster_is_asked_more_firmly_with_time(void **state)
{
	(void)state;
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_POSTMASTER, 0), SIGINT);
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_POSTMASTER, 6000), SIGQUIT);
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_POSTMASTER, 60000), SIGKILL);
}

static void test_orphaned_backends_get_a_moment_to_notice(void **state)
{
	(void)state;
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_BACKEND, 0), 0);
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_BACKEND, 1500), SIGQUIT);
	assert_int_equal(bm_cluster_stop_signal(BM_CLUSTER_BACKEND, 10000), SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_the_server_listens_on_the_private_socket_only),
			cmocka_unit_test(test_the_server_is_durable),
			cmocka_unit_test(test_settings_of_the_user_win_over_ours),
			cmocka_unit_test(test_a_version_is_a_number_and_nothing_else),
			cmocka_unit_test(test_the_checksum_is_crc32c),
			cmocka_unit_test(test_a_whole_control_file_is_accepted),
			cmocka_unit_test(test_a_cut_control_file_is_refused),
			cmocka_unit_test(test_a_control_file_of_zeros_is_refused),
			cmocka_unit_test(test_one_flipped_bit_in_the_control_file_is_seen),
			cmocka_unit_test(test_a_postmaster_and_its_backends_are_told_apart),
			cmocka_unit_test(test_other_programs_in_the_folder_are_left_alone),
			cmocka_unit_test(test_a_server_of_another_folder_or_user_is_left_alone),
			cmocka_unit_test(
					test_a_leftover_postmaster_is_asked_more_firmly_with_time),
			cmocka_unit_test(test_orphaned_backends_get_a_moment_to_notice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
