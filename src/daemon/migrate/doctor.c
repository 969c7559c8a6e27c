/*
 * What the doctor is asked (docs/doctor.md): the migration, what the machine knows of it
 * already, and what was found the last time, so that its worker keeps nothing.
 */
#include <jansson.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/engine.h"

static json_t *parsed(const char *text)
{
	json_t *object = text != NULL ? json_loads(text, 0, NULL) : NULL;

	return object != NULL ? object : json_null();
}

void bm_doctor_configure(struct bm_migrate *migrate, const struct bm_config *config)
{
	free(migrate->http_certificate);
	migrate->http_certificate = config->http_certificate != NULL
			? bm_strdup(config->http_certificate)
			: NULL;
}

void bm_migrate_notified(struct bm_migrate *migrate, const struct bm_receiver_report *reports,
		size_t count)
{
	json_decref(migrate->receivers);
	migrate->receivers = bm_receiver_reports_json(reports, count);
}

/* The phase that has failed, with the error; null when none has. */
static json_t *failed_phase(const struct migration *migration)
{
	for (size_t i = 0; i < RECORD_COUNT; i++) {
		const struct record *record = &migration->records[i];
		if (record->state == BM_RECORD_FAILED && record->error != NULL) {
			return json_pack("{s:s, s:o, s:o}", "phase",
					bm_phase_name(bm_record_phase(i)), "error",
					bm_json_text(record->error), "hint",
					bm_json_text(record->hint));
		}
	}
	return json_null();
}

char *bm_doctor_request(const struct migration *migration)
{
	const json_t *definition = migration->definition != NULL ? migration->definition
								 : migration->declared;

	if (definition == NULL) {
		return NULL;
	}
	char *text = bm_definition_request(definition, BM_PHASE_REPLICATE,
			migration->migrate->socket_dir, BM_REQUEST_WORK, NULL);
	json_t *request = json_loads(text, 0, NULL);
	free(text);
	json_object_set_new(request, "phase", json_string("doctor"));
	json_object_set_new(request, "known",
			json_pack("{s:o, s:o, s:s?, s:O?}", "reconcile",
					parsed(migration->besides[BESIDE_RECONCILE].evidence),
					"phase", failed_phase(migration), "http_certificate",
					migration->migrate->http_certificate, "receivers",
					migration->migrate->receivers));
	json_object_set_new(
			request, "before", parsed(migration->besides[BESIDE_DOCTOR].evidence));
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	return text;
}

char *bm_migrate_doctor_request(
		struct bm_migrate *migrate, const char *name, struct bm_error *err)
{
	const struct migration *migration = bm_migrate_known(migrate, name, err);
	char *request = migration != NULL ? bm_doctor_request(migration) : NULL;

	if (migration != NULL && request == NULL) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"migration '%s' is in neither machine.yaml nor the journal",
				name);
	}
	return request;
}
