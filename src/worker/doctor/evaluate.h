/*
 * evaluate - from facts to findings, by the table of rules. Pure.
 */
#ifndef WORKER_DOCTOR_EVALUATE_H
#define WORKER_DOCTOR_EVALUATE_H

struct json_t;

/* So many findings of a rule on a side; the last one says how many more there are. */
#define BM_DOCTOR_EACH 5

/*
 * A new array, what stops first: `rule`, `severity`, `side`, `object`, `cause`, `evidence` (an
 * array of the rows), `did`, `hint`. `facts` as facts.h has them.
 */
struct json_t *bm_doctor_evaluate(const struct json_t *facts, const char *migration);

#endif
