/* What a server says beyond rows: its clock, its certificate. And the certificate of the
 * machine's own HTTPS. */
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bucardo_machine/clock.h"
#include "worker/doctor/facts.h"

/* The best of some questions: a late answer says little about the clock. */
#define CLOCK_QUESTIONS 3

static bool ask_clock(struct bm_phase *phase, enum bm_side side, double *skew_msec,
		double *unsure_msec, struct bm_error *err)
{
	int64_t asked = bm_clock_wall_msec();
	PGresult *rows = bm_phase_ask(phase, side,
			"SELECT extract(epoch FROM clock_timestamp()) * 1000", 0, NULL, err);
	int64_t answered = bm_clock_wall_msec();

	if (rows == NULL) {
		return false;
	}
	*unsure_msec = (double)(answered - asked) / 2;
	*skew_msec = strtod(PQgetvalue(rows, 0, 0), NULL) - (double)asked - *unsure_msec;
	PQclear(rows);
	return true;
}

int bm_fact_clock(struct bm_phase *phase, enum bm_side side, json_t *rows, struct bm_error *err)
{
	double best = 0, unsure = -1, skew, about;

	for (int i = 0; i < CLOCK_QUESTIONS; i++) {
		if (!ask_clock(phase, side, &skew, &about, err)) {
			return -1;
		}
		if (unsure < 0 || about < unsure) {
			best = skew;
			unsure = about;
		}
	}
	double apart = (best < 0 ? -best : best) - unsure;
	return json_array_append_new(rows,
			json_pack("{s:s, s:f, s:f}", "way", best < 0 ? "behind" : "ahead",
					"apart_sec", apart > 0 ? apart / 1000 : 0.0,
					"unsure_sec", unsure / 1000));
}

static int64_t seconds_until(const ASN1_TIME *end, char *text, size_t size)
{
	struct tm when = {0};

	if (end == NULL || ASN1_TIME_to_tm(end, &when) != 1) {
		text[0] = '\0';
		return INT64_MAX;
	}
	strftime(text, size, "%Y-%m-%d %H:%M UTC", &when);
	return (int64_t)timegm(&when) - bm_clock_wall_msec() / 1000;
}

/* Of the session that we have: a row when it is encrypted by libpq's OpenSSL. */
int bm_fact_certificate(
		struct bm_phase *phase, enum bm_side side, json_t *rows, struct bm_error *err)
{
	PGconn *conn = bm_phase_conn(phase, side, err);
	SSL *ssl = conn != NULL && PQsslInUse(conn) ? PQsslStruct(conn, "OpenSSL") : NULL;
	char until[64];

	if (conn == NULL || ssl == NULL) {
		return conn != NULL ? 0 : -1;
	}
	X509 *certificate = SSL_get1_peer_certificate(ssl);
	if (certificate == NULL) {
		return 0;
	}
	int64_t left = seconds_until(X509_get0_notAfter(certificate), until, sizeof(until));
	X509_free(certificate);
	return left == INT64_MAX
			? 0
			: json_array_append_new(rows,
					  json_pack("{s:s, s:s, s:I}", "of",
							  bm_phase_endpoint(phase, side)->host,
							  "until", until, "left_sec",
							  (json_int_t)left));
}

/* The file that machine.yaml names (the first certificate in it): a row when there is one. */
int bm_fact_http_certificate(
		struct bm_phase *phase, enum bm_side side, json_t *rows, struct bm_error *err)
{
	const char *path = json_string_value(json_object_get(
			json_object_get(phase->request.root, "known"), "http_certificate"));
	char until[64];

	(void)side;
	if (path == NULL) {
		return 0;
	}
	FILE *file = fopen(path, "re");
	X509 *certificate = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	if (file != NULL) {
		fclose(file);
	}
	if (certificate == NULL) {
		return bm_error_set(err, BM_ERR_IO,
				"'%s' is not a certificate that can be read", path);
	}
	int64_t left = seconds_until(X509_get0_notAfter(certificate), until, sizeof(until));
	X509_free(certificate);
	return left == INT64_MAX
			? 0
			: json_array_append_new(rows,
					  json_pack("{s:s, s:s, s:I}", "path", path, "until",
							  until, "left_sec", (json_int_t)left));
}
