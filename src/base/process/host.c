/* host - see host.h */
#include "base/process/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/strbuf.h"

#define SPAN_MSEC 10000
#define FILE_LIMIT 65536
#define PROCESSES_LIMIT 4096

/* Slow: processes wait as long as they run, the limit holds them back in every third period, or
 * a third of the processors is given to others. Not for what is next to nothing: who wants less
 * than a tenth of a processor is not held up by waiting. */
#define WANTED_PERCENT 10
#define SLOW_PERCENT 50
#define HELD_BACK_PERCENT 33
/* Over: all of them are below this, in so many spans in a row. */
#define CALM_PERCENT 25
#define CALM_SPANS 3

/* No limit is stretched further than so many times. */
#define SLOWNESS_LIMIT 20

/* A timer that comes later than this is told of. */
#define LATE_MSEC 100

/* ---- the evaluation ---- */

static int percent(double part, double whole)
{
	return whole <= 0 ? HOST_UNKNOWN : (int)(part * 100 / whole + 0.5);
}

static int share(int64_t part, int64_t whole)
{
	return part < 0 ? HOST_UNKNOWN : percent((double)part, (double)whole);
}

struct host_load host_evaluate(const struct host_span *span, bool was_slow)
{
	double span_nsec = (double)span->msec * 1e6;
	double wanted = (double)span->run_nsec + (double)span->wait_nsec;
	uint64_t used = span->used_nsec > span->run_nsec ? span->used_nsec : span->run_nsec;
	const struct host_counters *grown = &span->grown;
	struct host_load load = {
			.got_percent = wanted > 0 ? percent((double)used, span_nsec)
						  : HOST_UNKNOWN,
			.waited_percent = percent((double)span->wait_nsec, wanted),
			.throttled_percent = share(grown->throttled, grown->periods),
			.stolen_percent = share(grown->stolen, grown->ticks),
			.pressure_percent = share(
					grown->pressure_usec, (int64_t)span->msec * 1000),
	};
	bool matters = percent((double)used + (double)span->wait_nsec, span_nsec) >=
			WANTED_PERCENT;
	int waits = was_slow ? CALM_PERCENT : SLOW_PERCENT;
	int held = was_slow ? CALM_PERCENT : HELD_BACK_PERCENT;

	load.slow = (matters && load.waited_percent >= waits) ||
			(matters && load.throttled_percent >= held) ||
			load.stolen_percent >= held;
	return load;
}

/* Our limits are ample: half of what the waiting would ask for. */
unsigned host_slowness(const struct host_load *load)
{
	int gets = 100 - load->waited_percent;
	int factor = gets > 0 ? 50 / gets : SLOWNESS_LIMIT;

	if (!load->slow || factor < 1) {
		return 1;
	}
	return factor > SLOWNESS_LIMIT ? SLOWNESS_LIMIT : (unsigned)factor;
}

/* ---- what the kernel tells ---- */

/* A small file's text; "" when it cannot be read. */
static const char *load(const char *path, struct bm_strbuf *out)
{
	struct bm_error ignored;

	bm_strbuf_clear(out);
	if (bm_file_load(path, FILE_LIMIT, out, &ignored) != 0) {
		bm_strbuf_clear(out);
	}
	return bm_strbuf_text(out);
}

/* The number after `word` in `text`; HOST_UNKNOWN. */
static int64_t number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at == NULL ? HOST_UNKNOWN : strtoll(at + strlen(word), NULL, 10);
}

/* The path of one line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH"; false: not that line.
 */
static bool take_group(const char *line, size_t length, char *folder, size_t size)
{
	char names[64], path[512], text[640];

	if (length >= sizeof(text)) {
		return false;
	}
	memcpy(text, line, length);
	text[length] = '\0';
	if (sscanf(text, "0::%511s", path) == 1) {
		snprintf(folder, size, "/sys/fs/cgroup%s", path);
		return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	}
	if (sscanf(text, "%*d:%63[^:]:%511s", names, path) != 2 ||
			(strcmp(names, "cpu") != 0 && strncmp(names, "cpu,", 4) != 0 &&
					strcmp(names, "cpuacct,cpu") != 0)) {
		return false;
	}
	snprintf(folder, size, "/sys/fs/cgroup/%s%s", names, path);
	if (access(folder, F_OK) != 0) { /* a container sees its own group as the root */
		snprintf(folder, size, "/sys/fs/cgroup/%s", names);
	}
	return true;
}

/* The folder of our control group for processors; "" when there is none. */
static void find_group(char *folder, size_t size)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool found = false;

	for (const char *line = load("/proc/self/cgroup", &text); *line != '\0' && !found;) {
		size_t length = strcspn(line, "\n");
		found = take_group(line, length, folder, size);
		line += length + (line[length] == '\n');
	}
	if (!found) {
		folder[0] = '\0';
	}
	bm_strbuf_finish(&text);
}

static void read_processors(struct host_counters *out, struct bm_strbuf *text)
{
	int64_t parts[8] = {0};

	out->ticks = out->stolen = HOST_UNKNOWN;
	if (sscanf(load("/proc/stat", text),
			    "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
			    " %" SCNd64 " %" SCNd64 " %" SCNd64,
			    &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5],
			    &parts[6], &parts[7]) != 8) {
		return;
	}
	out->ticks = 0;
	out->stolen = parts[7];
	for (size_t i = 0; i < 8; i++) {
		out->ticks += parts[i];
	}
}

static struct host_counters read_counters(void)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct host_counters counters;
	char folder[600], path[640];

	find_group(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/cpu.stat", folder);
	load(path, &text);
	counters.periods = number_after(bm_strbuf_text(&text), "nr_periods ");
	counters.throttled = number_after(bm_strbuf_text(&text), "nr_throttled ");
	snprintf(path, sizeof(path), "%s/cpu.pressure", folder);
	if (folder[0] == '\0' || access(path, R_OK) != 0) {
		bm_text_copy(path, sizeof(path), "/proc/pressure/cpu");
	}
	counters.pressure_usec = number_after(load(path, &text), "total=");
	read_processors(&counters, &text);
	bm_strbuf_finish(&text);
	return counters;
}

/* ---- our processes ---- */

/* Its children are appended to `list`. */
static size_t add_children(
		pid_t pid, struct host_process *list, size_t count, struct bm_strbuf *text)
{
	char path[64], *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	for (const char *at = load(path, text); count < PROCESSES_LIMIT; at = end) {
		long child = strtol(at, &end, 10);
		if (end == at) {
			break;
		}
		list[count++] = (struct host_process){.pid = (pid_t)child};
	}
	return count;
}

/* Fields 16 and 17 of "PID (NAME) S ...". */
static uint64_t reaped_nsec(const char *stat)
{
	const char *close = strrchr(stat, ')');
	uint64_t user, system;

	if (close == NULL ||
			sscanf(close,
					") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %" SCNu64
					" %" SCNu64,
					&user, &system) != 2) {
		return 0;
	}
	return (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void read_times(struct host_process *process, struct bm_strbuf *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)process->pid);
	if (sscanf(load(path, text), "%" SCNu64 " %" SCNu64, &process->run_nsec,
			    &process->wait_nsec) != 2) {
		process->run_nsec = process->wait_nsec = 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process->pid);
	process->reaped_nsec = reaped_nsec(load(path, text));
}

/* We and all that descend from us: what is orphaned becomes our child. */
static size_t read_processes(struct host_process *list)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t count = 1;

	list[0] = (struct host_process){.pid = getpid()};
	for (size_t i = 0; i < count; i++) {
		read_times(&list[i], &text);
		count = add_children(list[i].pid, list, count, &text);
	}
	bm_strbuf_finish(&text);
	return count;
}

static int by_pid(const void *a, const void *b)
{
	const struct host_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* What each has grown by; all of it when it is new, or another one of that number. */
static void add_growth(
		const struct host *host, const struct host_process *now, struct host_span *span)
{
	const struct host_process *before = host->count == 0
			? NULL
			: bsearch(now, host->processes, host->count, sizeof(*now), by_pid);
	bool same = before != NULL && before->run_nsec <= now->run_nsec &&
			before->wait_nsec <= now->wait_nsec;

	span->run_nsec += now->run_nsec - (same ? before->run_nsec : 0);
	span->wait_nsec += now->wait_nsec - (same ? before->wait_nsec : 0);
}

static int64_t growth(int64_t before, int64_t now)
{
	return before < 0 || now < before ? HOST_UNKNOWN : now - before;
}

static struct host_counters grown(
		const struct host_counters *before, const struct host_counters *now)
{
	return (struct host_counters){
			.periods = growth(before->periods, now->periods),
			.throttled = growth(before->throttled, now->throttled),
			.ticks = growth(before->ticks, now->ticks),
			.stolen = growth(before->stolen, now->stolen),
			.pressure_usec = growth(before->pressure_usec, now->pressure_usec),
	};
}

/* ---- what is told ---- */

static void report(struct host *host, const struct host_span *span)
{
	const struct host_load *v = &host->load;
	struct bm_strbuf out = BM_STRBUF_INIT;

	bm_strbuf_puts(&out, "the host is slow: ");
	if (v->got_percent >= 0) {
		bm_strbuf_printf(&out,
				"this machine got %d %% of a processor, and waited %d %% of the time "
				"that it wanted one",
				v->got_percent, v->waited_percent);
	}
	if (v->throttled_percent > 0) {
		bm_strbuf_printf(&out, "; its CPU limit held it back in %d %% of the periods",
				v->throttled_percent);
	}
	if (v->stolen_percent > 0) {
		bm_strbuf_printf(&out, "; other guests took %d %% of the host (steal)",
				v->stolen_percent);
	}
	if (host->reported_late_msec >= LATE_MSEC) {
		bm_strbuf_printf(&out, "; the machine itself woke up %" PRIu64 " ms late",
				host->reported_late_msec);
	}
	bm_strbuf_printf(&out, " (in %" PRIu64 " s)", (span->msec + 500) / 1000);
	bm_text_copy(host->text, sizeof(host->text), bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

/* Slow begins at once, and is over when it was well for a while. */
static bool conclude(struct host *host, const struct host_span *span)
{
	bool was_slow = host->load.slow;

	host->load = host_evaluate(span, was_slow);
	host->known = true;
	host->slowness = host_slowness(&host->load);
	host->calm = host->load.slow ? 0 : host->calm + 1;
	if (host->load.slow) {
		report(host, span);
	} else if (was_slow && host->calm < CALM_SPANS) {
		host->load.slow = true; /* with the text of the last slow span */
	} else {
		host->text[0] = '\0';
	}
	if (host->load.slow == was_slow) {
		return false;
	}
	host->since_msec = bm_clock_msec();
	return true;
}

/* The new counters take the place of the old; what they grew by goes into `span`. */
static void take_counters(struct host *host, struct host_span *span)
{
	struct host_process *list = bm_realloc(NULL, PROCESSES_LIMIT, sizeof(*list));
	size_t count = read_processes(list);
	struct host_counters counters = read_counters();
	uint64_t used = 0;

	span->grown = grown(&host->counters, &counters);
	for (size_t i = 0; i < count; i++) {
		add_growth(host, &list[i], span);
		used += list[i].run_nsec + list[i].reaped_nsec;
	}
	span->used_nsec = used > host->used_nsec ? used - host->used_nsec : 0;
	host->used_nsec = used;
	qsort(list, count, sizeof(*list), by_pid);
	free(host->processes);
	host->processes = bm_realloc(list, count, sizeof(*list));
	host->count = count;
	host->counters = counters;
}

bool host_sample(struct host *host)
{
	uint64_t now = bm_clock_msec();
	struct host_span span = {.msec = now - host->looked_msec};
	bool is_first = host->looked_msec == 0;

	if (!is_first && span.msec < SPAN_MSEC) {
		return false;
	}
	take_counters(host, &span);
	host->looked_msec = now;
	host->reported_late_msec = host->late_msec;
	host->late_msec = 0;
	return !is_first && conclude(host, &span);
}

void host_expect(struct host *host, uint64_t msec)
{
	host->due_msec = bm_clock_msec() + msec;
}

uint64_t host_expected_in(const struct host *host)
{
	uint64_t now = bm_clock_msec();

	return host->due_msec > now ? host->due_msec - now : 0;
}

void host_woke(struct host *host)
{
	uint64_t now = bm_clock_msec();
	uint64_t late = host->due_msec > 0 && now > host->due_msec ? now - host->due_msec : 0;

	host->late_msec = late > host->late_msec ? late : host->late_msec;
	host->due_msec = 0;
}

void host_finish(struct host *host)
{
	free(host->processes);
}
