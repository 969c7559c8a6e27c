/*
 * host - whether this machine gets the processor that it asks for, with evidence
 *
 * Every ten seconds the times of its processes, its control group and the host are read from
 * /proc and /sys (small files, nothing that waits) and compared with those before. What the
 * kernel does not tell is -1, and nobody is called slow for it.
 */
#ifndef BASE_PROCESS_HOST_H
#define BASE_PROCESS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_UNKNOWN (-1)

/* One process of ours, as the scheduler counts it. */
struct host_process {
	pid_t pid;
	uint64_t run_nsec, wait_nsec;
	uint64_t reaped_nsec; /* what its children ran that have ended */
};

/* Counters since some beginning. */
struct host_counters {
	int64_t periods, throttled; /* of our control group's limit */
	int64_t ticks, stolen;	    /* of all processors of the host */
	int64_t pressure_usec;	    /* somebody waited for a processor */
};

/* What a span of time brought. */
struct host_span {
	uint64_t msec;
	uint64_t run_nsec, wait_nsec; /* of our processes that live; 0 and 0: not known */
	uint64_t used_nsec;	      /* by all, also those that have ended */
	struct host_counters grown;
};

struct host_load {
	bool slow;
	int got_percent;       /* of one processor */
	int waited_percent;    /* of the time that our processes wanted one */
	int throttled_percent; /* of the periods of our limit */
	int stolen_percent;    /* by other guests of the hypervisor */
	int pressure_percent;  /* of the time somebody waited */
};

/* Pure. One who `was_slow` is slow until it is clearly better. */
struct host_load host_evaluate(const struct host_span *span, bool was_slow);

struct host {
	uint64_t looked_msec, due_msec, late_msec, reported_late_msec, since_msec;
	bool known; /* a whole span was seen */
	unsigned calm;
	size_t count;
	struct host_process *processes;
	uint64_t used_nsec;
	unsigned slowness; /* of the last span; 0: not known yet */
	struct host_counters counters;
	struct host_load load;
	char text[320]; /* "the host is slow: ..."; "" when it is not */
};

/* How many times as long everything takes: 1 on a host that is not slow. */
unsigned host_slowness(const struct host_load *load);

/* Look when it is time; true when "slow" began or ended. */
bool host_sample(struct host *host);
/* The heartbeat comes in `msec`; how late it is tells how long PID 1 itself waited. */
void host_expect(struct host *host, uint64_t msec);
uint64_t host_expected_in(const struct host *host);
void host_woke(struct host *host);
void host_finish(struct host *host);

#endif
