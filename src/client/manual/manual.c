/*
 * `manual`: pages for man(1), made of the tables of commands and of keys. What stands in
 * `help` and in `config reference` is what is printed here, so that they cannot differ.
 */
#include <stdio.h>
#include <string.h>

#include "base/config/keys.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/cli/command.h"

/* ---- text for roff ---- */

/* One line. At its begin '.' and '\'' are requests, and a bare '-' may become a hyphen. */
static void put_line(const char *line, size_t length, struct bm_strbuf *out)
{
	if (length > 0 && (line[0] == '.' || line[0] == '\'')) {
		bm_strbuf_puts(out, "\\&");
	}
	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\\') {
			bm_strbuf_puts(out, "\\e");
		} else if (line[i] == '-') {
			bm_strbuf_puts(out, "\\-");
		} else {
			bm_strbuf_putc(out, line[i]);
		}
	}
	bm_strbuf_putc(out, '\n');
}

static void put(const char *text, struct bm_strbuf *out)
{
	put_line(text, strlen(text), out);
}

/* A macro with one argument in quotes. */
static void put_heading(const char *macro, const char *text, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, ".%s \"", macro);
	for (const char *at = text; *at != '\0'; at++) {
		bm_strbuf_puts(out,
				*at == '-'		     ? "\\-"
						: *at == '"' ? "\\(dq"
							     : (char[]){*at, '\0'});
	}
	bm_strbuf_puts(out, "\"\n");
}

/* Lines that stay as they are: columns of options. */
static void put_lines(const char *text, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, ".PP\n.nf\n");
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		put_line(text, length, out);
		text += length + (text[length] == '\n');
	}
	bm_strbuf_puts(out, ".fi\n");
}

static void put_head(
		const char *name, const char *section, const char *what, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, ".TH %s %s \"\" \"bucardo\\-machine " BM_VERSION "\"\n.SH NAME\n",
			name, section);
	put_line(what, strlen(what), out);
}

/* ---- bucardo-machine(1) ---- */

static void put_command(const struct cli_command *command, struct bm_strbuf *out)
{
	struct bm_strbuf usage = BM_STRBUF_INIT;

	bm_strbuf_printf(&usage, "%s%s%s%s", command->name,
			(command->options & CLI_RUNTIME) != 0 ? " [--runtime DIR]" : "",
			command->arguments != NULL ? " " : "",
			command->arguments != NULL ? command->arguments : "");
	put_heading("SS", bm_strbuf_text(&usage), out);
	bm_strbuf_clear(&usage);
	bm_strbuf_printf(&usage, "%c%s.", command->summary[0] & ~0x20, command->summary + 1);
	put(bm_strbuf_text(&usage), out);
	if (command->help[0] != '\0') {
		put_lines(command->help, out);
	}
	bm_strbuf_finish(&usage);
}

static void put_files(struct bm_strbuf *out)
{
	static const struct {
		const char *name, *what;
	} files[] = {
			{"/var/lib/bucardo-machine/machine.yaml",
					"what is wanted: bucardo-machine.yaml(5)"},
			{"/run/bucardo-machine/control.sock",
					"where the commands ask the running machine"},
			{"/etc/bucardo-machine/pgpass/pgpass",
					"the passwords, one line a database, as libpq reads them"},
	};

	bm_strbuf_puts(out, ".SH FILES\n");
	for (size_t i = 0; i < BM_COUNT_OF(files); i++) {
		bm_strbuf_puts(out, ".TP\n.I ");
		put(files[i].name, out);
		put(files[i].what, out);
	}
}

static void put_program(struct bm_strbuf *out)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	put_head("BUCARDO\\-MACHINE", "1",
			"bucardo-machine - move a live PostgreSQL database to another server with Bucardo",
			out);
	bm_strbuf_puts(out,
			".SH SYNOPSIS\n.B bucardo\\-machine\n.I COMMAND\n[\\fIOPTION\\fR...]\n"
			".SH DESCRIPTION\n");
	put("The command run is the machine: it runs a control PostgreSQL and Bucardo, recovers them, and",
			out);
	put("carries out the migrations of machine.yaml. All other commands ask it, or need none.",
			out);
	bm_strbuf_puts(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < count; i++) {
		if (commands[i].task != CLI_TASK_NONE) {
			put_command(&commands[i], out);
		}
	}
	put_files(out);
	bm_strbuf_puts(out,
			".SH SEE ALSO\n.BR bucardo\\-machine.yaml (5),\n.BR bucardo (1),\n"
			".BR psql (1)\n");
}

/* ---- bucardo-machine.yaml(5) ---- */

static void put_key(const struct bm_key *key, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_puts(out, ".TP\n.B ");
	put(key->path, out);
	bm_key_describe(key, "", &text);
	bm_strbuf_puts(&text, ".");
	put(bm_strbuf_text(&text), out);
	bm_strbuf_puts(out, ".br\n");
	put(key->help, out);
	bm_strbuf_finish(&text);
}

static void put_file(struct bm_strbuf *out)
{
	put_head("BUCARDO\\-MACHINE.YAML", "5",
			"bucardo-machine.yaml - machine.yaml, what the bucardo machine is asked to do",
			out);
	bm_strbuf_puts(out, ".SH DESCRIPTION\n");
	put("A file in YAML on the volume of the machine. A changed file is taken over at once; one with an",
			out);
	put("error changes nothing. Passwords are in pgpass, never here.", out);
	bm_strbuf_puts(out, ".SH KEYS\n");
	for (size_t i = 0; i < bm_key_count; i++) {
		put_key(&bm_keys[i], out);
	}
	bm_strbuf_puts(out, ".SH SEE ALSO\n.BR bucardo\\-machine (1)\n");
}

int cli_manual(const struct cli_call *call)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	bool is_file = call->word_count > 0 && strcmp(call->words[0], "machine.yaml") == 0;

	if (call->word_count > 0 && !is_file) {
		fprintf(stderr,
				"bucardo-machine: there is a page about the commands, and one about "
				"machine.yaml; none about '%s'\n",
				call->words[0]);
		return CLI_USAGE;
	}
	if (is_file) {
		put_file(&out);
	} else {
		put_program(&out);
	}
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	return CLI_OK;
}
