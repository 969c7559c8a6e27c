/* Secrets are taken out of a text, however it spells them, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/support/redact.h"

static const char pgpass[] = "# host:5432:db:user:no_password\n"
			     "db.example:5432:shop:me:pass\\:w'or\\\\d \"x\"\r\n"
			     "*:*:*:*:tiny\n"
			     "h:1:d:u:abc\n";

static const struct {
	const char *text, *clean;
} rows[] = {
		/* known: pass:w'or\d "x" */
		{"a pass:w'or\\d \"x\" b", "a [removed] b"},
		{"{\"q\":\"pass:w'or\\\\d \\\"x\\\"\"}", "{\"q\":\"[removed]\"}"},
		{"'pass:w''or\\d \"x\"'", "'[removed]'"},
		{"pass%3Aw%27or%5Cd%20%22x%22", "[removed]"},
		{"pass:w\\'or\\\\d \"x\"", "[removed]"},
		{"db.example:5432:shop:me:pass\\:w'or\\\\d \"x\"",
				"db.example:5432:shop:me:[removed]"},
		{"tiny and tiny", "[removed] and [removed]"},
		/* not known */
		{"host=a password=zzz user=b", "host=a password=[removed] user=b"},
		{"host=a password='z''z z' user=b", "host=a password='[removed]' user=b"},
		{"PGPASSWORD=zzz psql", "PGPASSWORD=[removed] psql"},
		{"postgresql://me:zzz@h/db", "postgresql://me:[removed]@h/db"},
		{"postgresql://me@h/db?password=zzz",
				"postgresql://me@h/db?password=[removed]"},
		{"ALTER ROLE a PASSWORD 'z z'; SELECT 1",
				"ALTER ROLE a PASSWORD '[removed]'; SELECT 1"},
		{"{\"password\": \"z,z\", \"a\":1}", "{\"password\": \"[removed]\", \"a\":1}"},
		{"{\"q\":\"{\\\"password\\\": \\\"zz\\\"}\"}",
				"{\"q\":\"{\\\"password\\\": \\\"[removed]\\\"}\"}"},
		{"  SMTP_PASSWORD: zzz\n  USER: a", "  SMTP_PASSWORD: [removed]\n  USER: a"},
		{"api_key: zzz", "api_key: [removed]"},
		{"X: Bearer abcdef.123", "X: Bearer [removed]"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nab==\n-----END RSA PRIVATE KEY-----",
				"-----BEGIN RSA PRIVATE KEY-----[removed]-----END RSA PRIVATE KEY-----"},
		/* nothing */
		{"token_file: /etc/token", "token_file: /etc/token"},
		{"wrong password in the line of pgpass for h:1:d:u",
				"wrong password in the line of pgpass for h:1:d:u"},
		{"h:1:d:u abc", "h:1:d:u abc"},
		{"https://h:8080/a", "https://h:8080/a"},
		{"", ""},
};

static void test_each_spelling_of_a_secret_goes_and_nothing_else(void **state)
{
	struct cli_redactor *redactor = cli_redactor_create();

	(void)state;
	cli_redactor_add_pgpass(redactor, pgpass);
	for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		cli_redact(redactor, rows[i].text, &out);
		assert_string_equal(bm_strbuf_text(&out), rows[i].clean);
		bm_strbuf_finish(&out);
	}
	cli_redactor_destroy(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_spelling_of_a_secret_goes_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
