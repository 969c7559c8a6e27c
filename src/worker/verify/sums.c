#include "worker/verify/sums.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

void bm_sums_init(struct bm_sums *sums, size_t count)
{
	sums->count = count;
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		sums->sides[side] = bm_alloc((count + 1) * sizeof(struct bm_sum));
	}
}

void bm_sums_finish(struct bm_sums *sums)
{
	free(sums->sides[0]);
	free(sums->sides[1]);
	*sums = (struct bm_sums){0};
}

/* A whole number of any length that fits; the servers write nothing else here. */
static __int128 number_of(const char *text)
{
	bool negative = text[0] == '-';
	__int128 number = 0;

	for (text += negative; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (*text - '0');
	}
	return negative ? -number : number;
}

void bm_sums_take(struct bm_sums *sums, enum bm_pair_side side, const PGresult *rows, int sign)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		size_t bucket = strtoul(PQgetvalue(rows, row, 0), NULL, 10);
		if (bucket >= sums->count) {
			continue;
		}
		struct bm_sum *sum = &sums->sides[side][bucket];
		sum->rows += sign * strtoll(PQgetvalue(rows, row, 1), NULL, 10);
		sum->hashes += sign * number_of(PQgetvalue(rows, row, 2));
		sum->halves += sign * number_of(PQgetvalue(rows, row, 3));
	}
}

bool bm_sums_differ(const struct bm_sums *sums, size_t bucket)
{
	const struct bm_sum *a = &sums->sides[0][bucket], *b = &sums->sides[1][bucket];

	return a->rows != b->rows || a->hashes != b->hashes || a->halves != b->halves;
}
