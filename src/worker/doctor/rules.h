/*
 * rules - the table of what can be wrong, in words: cause, what the machine did, what to do
 *
 * A rule is about one fact (facts.h). Of the rules of a fact the first counts whose tests a row
 * passes; a row without a member that is tested passes no test of it. In texts {name} is a
 * member of the row; {side}, {migration} are what they say. Members that end with _bytes or
 * _sec are written as sizes and spans of time. Pure.
 */
#ifndef WORKER_DOCTOR_RULES_H
#define WORKER_DOCTOR_RULES_H

#include <stddef.h>

#include "bucardo_machine/phase_line.h"

enum bm_doctor_op {
	BM_DOCTOR_ANY, /* no test */
	BM_DOCTOR_AT_LEAST,
	BM_DOCTOR_AT_MOST,
	BM_DOCTOR_IS,
	BM_DOCTOR_HAS /* a part of a text */
};

struct bm_doctor_test {
	const char *member;
	enum bm_doctor_op op;
	double number;
	const char *text;
};

#define BM_DOCTOR_TESTS 2

struct bm_doctor_rule {
	const char *name;
	enum bm_severity severity;
	const char *fact;
	struct bm_doctor_test tests[BM_DOCTOR_TESTS];
	const char *object; /* what it is about: tells findings of a rule apart */
	const char *cause, *did, *hint;
};

extern const struct bm_doctor_rule bm_doctor_rules[];
extern const size_t bm_doctor_rule_count;

#endif
