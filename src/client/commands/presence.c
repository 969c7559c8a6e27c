/* Is the client of a terminal still there? See presence.h. */
#include "client/commands/presence.h"

/* How soon to look again when the output was not calm. */
#define CALM_MSEC 50

/* The first probe must have had this long to be answered, in tenths of hangup_msec. */
#define PATIENCE_TENTHS 2

/* When to probe, in tenths of hangup_msec without proof: asking is cheap, flooding not. */
#define ASK_TENTHS 3
#define FLOOD_TENTHS 5

static uint64_t tenths(const struct cli_presence *p, unsigned count)
{
	return p->hangup_msec * count / 10;
}

static void proven(struct cli_presence *p, uint64_t now)
{
	p->proof_at = now;
	p->asked = p->flooded = false;
	p->taken = 0;
}

void cli_presence_begin(struct cli_presence *presence, uint64_t keepalive_msec,
		uint64_t hangup_msec, uint64_t now)
{
	*presence = (struct cli_presence){
			.keepalive_msec = keepalive_msec,
			.hangup_msec = hangup_msec,
			.traffic_at = now,
			.proof_at = now,
			.took_at = now,
	};
}

void cli_presence_typed(struct cli_presence *presence, uint64_t now)
{
	presence->traffic_at = now;
	proven(presence, now);
}

void cli_presence_answered(struct cli_presence *presence, uint64_t now)
{
	presence->answers = true;
	proven(presence, now);
}

void cli_presence_took(struct cli_presence *presence, size_t count, bool output, uint64_t now)
{
	if (output) {
		presence->traffic_at = now;
	}
	presence->taken += count;
	presence->took_at = now;
	/* A terminal that can answer has to: what it took may only be in a buffer on the way.
	 */
	if (!presence->answers && presence->taken >= CLI_FLOOD_BYTES) {
		proven(presence, now);
	}
}

/* When the next probe is due. A terminal is asked again and again, flooded once. */
static uint64_t probe_due(const struct cli_presence *p)
{
	if (p->answers) {
		uint64_t since = p->asked ? p->probe_at : p->proof_at;
		return since + tenths(p, ASK_TENTHS);
	}
	return p->flooded ? UINT64_MAX : p->proof_at + tenths(p, FLOOD_TENTHS);
}

/* Not before it could answer; if it could not even be asked, because nothing is taken. */
static uint64_t gone_due(const struct cli_presence *p)
{
	uint64_t since = p->asked || p->flooded ? p->first_probe_at : p->took_at;
	uint64_t patient = since + tenths(p, PATIENCE_TENTHS);
	uint64_t over = p->proof_at + p->hangup_msec;

	return patient > over ? patient : over;
}

static enum cli_presence_step probe(struct cli_presence *p, uint64_t now)
{
	p->probe_at = now;
	if (!p->asked && !p->flooded) {
		p->first_probe_at = now;
	}
	if (p->answers) {
		p->asked = true;
		return CLI_PRESENCE_ASK;
	}
	p->flooded = true;
	return CLI_PRESENCE_FLOOD;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

enum cli_presence_step cli_presence_next(
		struct cli_presence *presence, bool calm, uint64_t now, uint64_t *wait_msec)
{
	uint64_t next = UINT64_MAX;

	if (presence->hangup_msec > 0) {
		if (now >= gone_due(presence)) {
			return CLI_PRESENCE_GONE;
		}
		next = earlier(probe_due(presence), gone_due(presence));
		if (now >= probe_due(presence)) {
			if (calm) {
				return probe(presence, now);
			}
			next = now + CALM_MSEC;
		}
	}
	if (presence->keepalive_msec > 0) {
		uint64_t due = presence->traffic_at + presence->keepalive_msec;
		if (now >= due) {
			presence->traffic_at = now;
			return CLI_PRESENCE_KEEPALIVE;
		}
		next = earlier(next, due);
	}
	*wait_msec = next == UINT64_MAX ? 0 : next - now;
	return CLI_PRESENCE_WAIT;
}
