/* From the name of a migration to its page. */
#include "client/report/report_page.h"

#include <jansson.h>

#include "bucardo_machine/proof_report.h"
#include "bucardo_machine/strbuf.h"
#include "client/commands/control_client.h"
#include "client/verify/verify_report.h"
#include "client/verify/verify_sides.h"

static char *page_of(const json_t *request, const char *migration, struct bm_error *err)
{
	const json_t *of = json_object_get(request, "migration");
	struct bm_conninfo source, destination;
	struct bm_strbuf page = BM_STRBUF_INIT;
	enum bm_proof result;

	cli_verify_take_endpoint(json_object_get(of, "source"), &source);
	cli_verify_take_endpoint(json_object_get(of, "destination"), &destination);
	json_t *report = bm_proof_report(&source, &destination, migration, &result, err);
	bm_conninfo_finish(&source);
	bm_conninfo_finish(&destination);
	if (report == NULL) {
		return NULL;
	}
	cli_verify_report_page(report, result, &page);
	json_decref(report);
	return bm_strbuf_detach(&page);
}

char *report_page(const char *runtime, const char *migration, struct bm_error *err)
{
	json_t *answer = cli_client_call(runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s}", "command", "plan", "migration", migration),
			err);
	char *page = answer != NULL
			? page_of(json_object_get(answer, "request"), migration, err)
			: NULL;

	json_decref(answer);
	return page;
}
