/*
 * Help: the commands by what they are for, from their table; and the explanation of one, flowed
 * to the width of the screen.
 */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"
#include "client/cli/command.h"
#include "client/terminal/text.h"

/* Where nobody says how wide it is. */
#define HELP_COLUMNS 80

#define TASK_WIDTH 9
#define LEFT_WIDTH 27

static const char *const tasks[] = {
		[CLI_TASK_FIRST] = "See",
		[CLI_TASK_SEE] = "",
		[CLI_TASK_MIGRATE] = "Migrate",
		[CLI_TASK_COPY] = "Copy",
		[CLI_TASK_MACHINE] = "Machine",
};

/* ---- the list ---- */

/* "status [--watch]"; of long arguments only the first. */
static void put_left(const struct cli_command *command, struct bm_strbuf *out)
{
	const char *arguments = command->arguments != NULL ? command->arguments : "";
	size_t length = strlen(arguments);

	bm_strbuf_puts(out, command->name);
	if (strlen(command->name) + 1 + length > LEFT_WIDTH) {
		bm_strbuf_printf(out, " %.*s ...", (int)strcspn(arguments, " ]"), arguments);
	} else if (length > 0) {
		bm_strbuf_printf(out, " %s", arguments);
	}
}

static void add_row(
		const char *task, const char *left, const char *summary, struct bm_strbuf *out)
{
	size_t column = TASK_WIDTH + LEFT_WIDTH + 2;

	bm_strbuf_printf(out, "%-*s", TASK_WIDTH, task);
	if (cli_text_columns() < column + LEFT_WIDTH) {
		bm_strbuf_printf(out, "%s\n%*s", left, TASK_WIDTH + 2, "");
		column = TASK_WIDTH + 2;
	} else {
		bm_strbuf_printf(out, "%-*s  ", LEFT_WIDTH, left);
	}
	cli_text_wrapped(summary, column, column, out);
}

/* The second words of the commands that begin with `word`: "check, example, ...". */
static void put_seconds(const char *word, size_t length, struct bm_strbuf *out)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 &&
				commands[i].name[length] == ' ') {
			bm_strbuf_printf(out, "%s%s", out->length > 0 ? ", " : "",
					commands[i].name + length + 1);
		}
	}
}

/* Commands of two words have one line for all that begin with the first. */
static void add_command(const struct cli_command *command, const struct cli_command *before,
		const char *task, struct bm_strbuf *out)
{
	struct bm_strbuf left = BM_STRBUF_INIT, summary = BM_STRBUF_INIT;
	size_t first = strcspn(command->name, " ");

	if (command->name[first] == '\0') {
		put_left(command, &left);
		bm_strbuf_puts(&summary, command->summary);
	} else if (before == NULL || strncmp(before->name, command->name, first + 1) != 0) {
		bm_strbuf_printf(&left, "%.*s WORD", (int)first, command->name);
		put_seconds(command->name, first, &summary);
	}
	if (left.length > 0) {
		add_row(task, bm_strbuf_text(&left), bm_strbuf_text(&summary), out);
	}
	bm_strbuf_finish(&left);
	bm_strbuf_finish(&summary);
}

static void add_task(enum cli_task task, struct bm_strbuf *out)
{
	size_t count, begun = out->length;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (commands[i].task == task) {
			add_command(&commands[i], i > 0 ? &commands[i - 1] : NULL,
					out->length == begun ? tasks[task] : "", out);
		}
	}
}

void cli_render_help(struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "usage: bucardo-machine COMMAND [OPTION...]\n\n");
	for (size_t task = CLI_TASK_FIRST; task < BM_COUNT_OF(tasks); task++) {
		add_task((enum cli_task)task, out);
	}
	cli_text_wrapped(
			"`help COMMAND` explains one; there are also notify, completion and manual.",
			0, 0, out);
}

/* ---- one command ---- */

/* How far the line goes on to the left: the column of its text, behind two blanks in a row. */
static size_t text_column(const char *line, size_t length)
{
	size_t begin = strspn(line, " ");

	for (size_t i = begin; i + 1 < length; i++) {
		if (line[i] == ' ' && line[i + 1] == ' ') {
			return i + strspn(line + i, " ");
		}
	}
	return begin;
}

/* What was wrapped by hand for one width becomes words again, each paragraph with the column
 * that its lines begin at. */
struct flow {
	struct bm_strbuf text;
	size_t begin, column;
};

static void end_paragraph(struct flow *flow, struct bm_strbuf *out)
{
	if (flow->text.length > 0) {
		size_t room = cli_text_columns();
		size_t indent = flow->column + 24 > room ? flow->begin + 2 : flow->column;
		cli_text_wrapped(bm_strbuf_text(&flow->text), flow->column, indent, out);
	}
	bm_strbuf_clear(&flow->text);
}

static void begin_paragraph(
		struct flow *flow, const char *line, size_t length, struct bm_strbuf *out)
{
	end_paragraph(flow, out);
	flow->begin = strspn(line, " ");
	flow->column = text_column(line, length);
	bm_strbuf_add(out, line, flow->column);
	bm_strbuf_add(&flow->text, line + flow->column, length - flow->column);
}

void cli_render_flowed(const char *text, struct bm_strbuf *out)
{
	struct flow flow = {BM_STRBUF_INIT, 0, 0};

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		size_t begin = strspn(text, " ");
		bool goes_on = flow.text.length > 0 && begin == flow.column;
		if (goes_on && text_column(text, length) == begin) {
			bm_strbuf_putc(&flow.text, ' ');
			bm_strbuf_add(&flow.text, text + begin, length - begin);
		} else {
			begin_paragraph(&flow, text, length, out);
		}
		text += length + (text[length] == '\n');
	}
	end_paragraph(&flow, out);
	bm_strbuf_finish(&flow.text);
}

void cli_render_usage(const struct cli_command *command, struct bm_strbuf *out)
{
	struct bm_strbuf usage = BM_STRBUF_INIT, summary = BM_STRBUF_INIT;

	bm_strbuf_printf(&usage, "usage: bucardo-machine %s", command->name);
	if ((command->options & CLI_RUNTIME) != 0) {
		bm_strbuf_puts(&usage, " [--runtime DIR]");
	}
	if (command->arguments != NULL) {
		bm_strbuf_printf(&usage, " %s", command->arguments);
	}
	bm_strbuf_printf(&summary, "%s.", command->summary);
	cli_text_wrapped(bm_strbuf_text(&usage), 0, 7, out);
	bm_strbuf_putc(out, '\n');
	cli_text_wrapped(bm_strbuf_text(&summary), 0, 0, out);
	if (command->help[0] != '\0') {
		bm_strbuf_putc(out, '\n');
		cli_render_flowed(command->help, out);
	}
	bm_strbuf_finish(&usage);
	bm_strbuf_finish(&summary);
}

/* ---- the commands ---- */

static void print(struct bm_strbuf *out)
{
	fputs(bm_strbuf_text(out), stdout);
	bm_strbuf_finish(out);
}

static void set_width(void)
{
	size_t columns = cli_screen_size().ws_col;

	cli_text_set_columns(columns > 0 ? columns : HELP_COLUMNS);
}

void cli_print_usage(const struct cli_command *command)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	set_width();
	if (command->run == cli_help) {
		cli_render_help(&out);
	} else {
		cli_render_usage(command, &out);
	}
	print(&out);
}

/* `help config` lists what can follow. Returns whether something can. */
static bool print_group(const char *word)
{
	size_t count, length = strlen(word);
	const struct cli_command *commands = cli_commands(&count);
	struct bm_strbuf out = BM_STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 &&
				commands[i].name[length] == ' ') {
			struct bm_strbuf left = BM_STRBUF_INIT;
			put_left(&commands[i], &left);
			add_row("", bm_strbuf_text(&left), commands[i].summary, &out);
			bm_strbuf_finish(&left);
		}
	}
	bool found = out.length > 0;
	print(&out);
	return found;
}

int cli_help(const struct cli_call *call)
{
	struct bm_strbuf name = BM_STRBUF_INIT;
	int rc = CLI_OK;

	for (size_t i = 0; i < call->word_count; i++) {
		bm_strbuf_printf(&name, "%s%s", i > 0 ? " " : "", call->words[i]);
	}
	const struct cli_command *command = cli_command_find(
			name.length > 0 ? bm_strbuf_text(&name) : "help");
	set_width();
	if (command != NULL) {
		bool all = command->run == cli_help && name.length == 0;
		struct bm_strbuf out = BM_STRBUF_INIT;
		if (all) {
			cli_render_help(&out);
		} else {
			cli_render_usage(command, &out);
		}
		print(&out);
	} else if (!print_group(bm_strbuf_text(&name))) {
		struct bm_strbuf meant = BM_STRBUF_INIT;
		cli_suggest_command(bm_strbuf_text(&name), &meant);
		fprintf(stderr,
				"bucardo-machine: there is no command '%s'%s; "
				"`bucardo-machine help` lists them\n",
				bm_strbuf_text(&name), bm_strbuf_text(&meant));
		bm_strbuf_finish(&meant);
		rc = CLI_USAGE;
	}
	bm_strbuf_finish(&name);
	return rc;
}
