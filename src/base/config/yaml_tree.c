/* libyaml's events into nodes; refuses everything that a configuration does not need. */
#include "base/config/yaml_tree.h"

#include <string.h>

#include <yaml.h>

#include "bucardo_machine/utf8.h"

/* A file for 1,000 tables needs about 5,000 nodes and a depth of 6. */
#define MOST_NODES 10000
#define MOST_DEPTH 16

struct builder {
	struct bm_arena *arena;
	struct bm_report *report;
	struct bm_node *open[MOST_DEPTH]; /* lists and maps, outermost first */
	size_t depth;
	size_t nodes;
	struct bm_node *root;
	const char *key; /* read, its value comes next; NULL: none */
	size_t key_line, key_column;
	bool failed; /* going on would only repeat or mislead */
};

static void fail(struct builder *b, const yaml_mark_t *mark, const char *message)
{
	bm_report_error(b->report, mark->line + 1, mark->column + 1, "", "%s", message);
	b->failed = true;
}

static bool is_awaiting_key(const struct builder *b)
{
	return b->depth > 0 && b->open[b->depth - 1]->kind == BM_NODE_MAP && b->key == NULL;
}

static void attach(struct builder *b, struct bm_node *node)
{
	if (b->depth == 0) {
		b->root = node;
		return;
	}
	struct bm_node *parent = b->open[b->depth - 1];
	if (parent->kind == BM_NODE_MAP) {
		node->name = b->key;
		node->name_line = b->key_line;
		node->name_column = b->key_column;
		b->key = NULL;
	}
	if (parent->last != NULL) {
		parent->last->next = node;
	} else {
		parent->first = node;
	}
	parent->last = node;
	parent->count++;
}

static struct bm_node *add_node(
		struct builder *b, enum bm_node_kind kind, const yaml_mark_t *mark)
{
	struct bm_node *node = bm_arena_alloc(b->arena, sizeof(*node));

	node->kind = kind;
	node->line = mark->line + 1;
	node->column = mark->column + 1;
	attach(b, node);
	if (++b->nodes > MOST_NODES) {
		fail(b, mark, "more than 10000 values in one file; split or shorten it");
	}
	return node;
}

static void check_manners(
		struct builder *b, const yaml_mark_t *mark, const void *anchor, const void *tag)
{
	if (anchor != NULL) {
		bm_report_error(b->report, mark->line + 1, mark->column + 1, "",
				"an anchor ('&'); write values out, anchors and aliases are not "
				"used here");
	}
	if (tag != NULL) {
		bm_report_error(b->report, mark->line + 1, mark->column + 1, "",
				"a tag ('!'); write plain values, tags are not used here");
	}
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	const yaml_mark_t *mark = &event->start_mark;

	check_manners(b, mark, event->data.scalar.anchor, event->data.scalar.tag);
	if (memchr(text, '\0', length) != NULL) {
		fail(b, mark, "a NUL character; values are text");
		return;
	}
	const char *copy = bm_arena_copy(b->arena, text, length);
	if (is_awaiting_key(b)) {
		b->key = copy;
		b->key_line = mark->line + 1;
		b->key_column = mark->column + 1;
		return;
	}
	struct bm_node *node = add_node(b, BM_NODE_SCALAR, mark);
	node->text = copy;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void on_open(struct builder *b, enum bm_node_kind kind, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;

	if (kind == BM_NODE_MAP) {
		check_manners(b, mark, event->data.mapping_start.anchor,
				event->data.mapping_start.tag);
	} else {
		check_manners(b, mark, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
	}
	if (is_awaiting_key(b)) {
		fail(b, mark, "a list or mapping as a key; keys are plain words");
	} else if (b->depth == MOST_DEPTH) {
		fail(b, mark, "nested too deeply; at most 16 levels are read");
	} else {
		struct bm_node *node = add_node(b, kind, mark);
		b->open[b->depth++] = node;
	}
}

/* Something stands in for it, so that the rest of the file is looked at as well. */
static void on_alias(struct builder *b, const yaml_mark_t *mark)
{
	bm_report_error(b->report, mark->line + 1, mark->column + 1, "",
			"an alias ('*'); write values out, or quote a text that starts with '*'");
	if (is_awaiting_key(b)) {
		b->failed = true;
		return;
	}
	struct bm_node *node = add_node(b, BM_NODE_SCALAR, mark);
	node->text = "";
	node->plain = true;
	node->refused = true;
}

/* Whether there is more to read. */
static bool on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL) {
			fail(b, &event->start_mark,
					"a second document ('---'); only one is read");
		}
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, &event->start_mark);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(b, BM_NODE_LIST, event);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(b, BM_NODE_MAP, event);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	default:
		break;
	}
	return event->type != YAML_STREAM_END_EVENT && !b->failed;
}

/* libyaml's reader knows an offset only. */
static yaml_mark_t find_mark(const char *text, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset; i++) {
		bool is_tail = ((unsigned char)text[i] & 0xc0) == 0x80;
		mark.column = text[i] == '\n' ? 0 : mark.column + !is_tail;
		mark.line += text[i] == '\n';
	}
	return mark;
}

static void report_syntax(struct builder *b, const yaml_parser_t *parser, const char *text)
{
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_READER_ERROR) {
		mark = find_mark(text, parser->problem_offset);
	}

	bm_report_error(b->report, mark.line + 1, mark.column + 1, "",
			"not YAML: %s%s%s; indent with spaces, and quote texts that hold ': ', ' #' "
			"or start with a sign",
			parser->context != NULL ? parser->context : "",
			parser->context != NULL ? ", " : "",
			parser->problem != NULL ? parser->problem : "cannot be read");
	b->failed = true;
}

static void read_events(struct builder *b, const char *text, size_t length)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;

	if (yaml_parser_initialize(&parser) == 0) {
		fail(b, &(yaml_mark_t){0}, "out of memory");
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	while (more) {
		if (yaml_parser_parse(&parser, &event) == 0) {
			report_syntax(b, &parser, text);
			break;
		}
		more = on_event(b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

/* Text that no editor writes is refused before libyaml sees it, with its place. */
static bool is_text(struct builder *b, const char *text, size_t length)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < length;) {
		unsigned char c = (unsigned char)text[i];
		size_t size = bm_utf8_length(text + i, length - i);
		if (size == 0) {
			fail(b, &mark, "a byte that is not UTF-8; save the file as UTF-8 text");
			return false;
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
			fail(b, &mark, "a control character; this is not a text file");
			return false;
		}
		mark.column = c == '\n' ? 0 : mark.column + 1;
		mark.line += c == '\n';
		i += size;
	}
	return true;
}

struct bm_node *bm_tree_parse(struct bm_arena *arena, const char *text, size_t length,
		struct bm_report *report)
{
	struct builder b = {.arena = arena, .report = report};

	/* A byte order mark; libyaml takes it only where it may guess the encoding. */
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		length -= 3;
	}
	if (!is_text(&b, text, length)) {
		return NULL;
	}
	read_events(&b, text, length);
	if (!b.failed && (b.root == NULL || bm_tree_is_null(b.root))) {
		fail(&b, &(yaml_mark_t){0},
				"nothing in it; a configuration starts with "
				"'version: 1'");
	}
	return b.failed ? NULL : b.root;
}

const struct bm_node *bm_tree_find(const struct bm_node *map, const char *name)
{
	if (map == NULL || map->kind != BM_NODE_MAP) {
		return NULL;
	}
	for (const struct bm_node *node = map->first; node != NULL; node = node->next) {
		if (strcmp(node->name, name) == 0) {
			return node;
		}
	}
	return NULL;
}

bool bm_tree_is_null(const struct bm_node *node)
{
	return node->kind == BM_NODE_SCALAR && node->plain &&
			(node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
					strcmp(node->text, "null") == 0);
}
