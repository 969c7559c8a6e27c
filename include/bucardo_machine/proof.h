/*
 * proof - the states in which a comparison leaves an object (docs/verify.md)
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_PROOF_H
#define BUCARDO_MACHINE_PROOF_H

/* Worst last: the state of a whole is the worst of its parts. */
enum bm_proof {
	BM_PROOF_EQUAL,
	BM_PROOF_IN_FLIGHT, /* equal but for rows that are under way */
	BM_PROOF_UNPROVEN,  /* could not be compared, with the reason */
	BM_PROOF_DIFFERENT,
	BM_PROOF_COUNT
};
const char *bm_proof_name(enum bm_proof proof); /* "equal", "in_flight", ...; static */

/* The state of this name; of none (NULL is accepted) the worst. */
enum bm_proof bm_proof_named(const char *name);

#endif
