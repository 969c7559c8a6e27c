/*
 * Libpq is loaded when the first function of it is called.
 *
 * It brings OpenSSL, Kerberos and LDAP: 20 libraries that take the loader 4 to 20 ms before our
 * first line. A PID 1 has no default action, so a SIGTERM of that time would be lost, and
 * `health`, asked every few seconds, and `run -- COMMAND` need none of them. Linked with the
 * other four only, we block signals about a millisecond after the exec (test_pid1_manners).
 *
 * The functions below have the names of libpq's, so that callers notice nothing; the headers
 * check that they are declared alike. Weak: a unit test has its own in their place. OpenSSL's
 * are found through libpq: they must be of the library that it uses.
 */
#include "bucardo_machine/libpq.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBPQ "libpq.so.5"

static void *library;

/* As the loader does: without it nothing of what was asked for can be done. */
static _Noreturn void give_up(void)
{
	fprintf(stderr, "bucardo-machine: cannot load %s: %s. The package libpq5 has it\n",
			LIBPQ, dlerror());
	_exit(127);
}

static void load(void)
{
	library = dlopen(LIBPQ, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		give_up();
	}
}

void bm_postgres_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
}

static void *find(const char *name)
{
	bm_postgres_load();
	void *function = dlsym(library, name);
	if (function == NULL) {
		give_up();
	}
	return function;
}

/* clang-format off */
#define LATE(type, name, parameters, arguments)                       \
	__attribute__((weak)) type name parameters                    \
	{                                                             \
		static _Atomic(void *) real;                          \
		void *found = atomic_load(&real);                     \
		if (found == NULL) {                                  \
			found = find(#name);                          \
			atomic_store(&real, found);                   \
		}                                                     \
		return ((type(*) parameters)found)arguments;          \
	}

LATE(int, PQbackendPID, (const PGconn *conn), (conn))
LATE(void, PQclear, (PGresult *res), (res))
LATE(char *, PQcmdTuples, (PGresult *res), (res))
LATE(PostgresPollingStatusType, PQconnectPoll, (PGconn *conn), (conn))
LATE(PGconn *, PQconnectStartParams, (const char *const *keywords, const char *const *values, int expand_dbname), (keywords, values, expand_dbname))
LATE(PGconn *, PQconnectdbParams, (const char *const *keywords, const char *const *values, int expand_dbname), (keywords, values, expand_dbname))
LATE(int, PQconnectionNeedsPassword, (const PGconn *conn), (conn))
LATE(void, PQconninfoFree, (PQconninfoOption *connOptions), (connOptions))
LATE(PQconninfoOption *, PQconninfoParse, (const char *conninfo, char **errmsg), (conninfo, errmsg))
LATE(int, PQconsumeInput, (PGconn *conn), (conn))
LATE(char *, PQdb, (const PGconn *conn), (conn))
LATE(char *, PQerrorMessage, (const PGconn *conn), (conn))
LATE(PGresult *, PQexec, (PGconn *conn, const char *query), (conn, query))
LATE(PGresult *, PQexecParams, (PGconn *conn, const char *command, int nParams, const Oid *paramTypes, const char *const *paramValues, const int *paramLengths, const int *paramFormats, int resultFormat), (conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat))
LATE(int, PQexitPipelineMode, (PGconn *conn), (conn))
LATE(void, PQfinish, (PGconn *conn), (conn))
LATE(int, PQenterPipelineMode, (PGconn *conn), (conn))
LATE(int, PQflush, (PGconn *conn), (conn))
LATE(int, PQfnumber, (const PGresult *res, const char *field_name), (res, field_name))
LATE(void, PQfreemem, (void *ptr), (ptr))
LATE(int, PQgetCopyData, (PGconn *conn, char **buffer, int async), (conn, buffer, async))
LATE(PGresult *, PQgetResult, (PGconn *conn), (conn))
LATE(int, PQgetisnull, (const PGresult *res, int tup_num, int field_num), (res, tup_num, field_num))
LATE(char *, PQgetvalue, (const PGresult *res, int tup_num, int field_num), (res, tup_num, field_num))
LATE(int, PQgssEncInUse, (PGconn *conn), (conn))
LATE(char *, PQhost, (const PGconn *conn), (conn))
LATE(int, PQisBusy, (PGconn *conn), (conn))
LATE(int, PQlibVersion, (void), ())
LATE(PGresult *, PQmakeEmptyPGresult, (PGconn *conn, ExecStatusType status), (conn, status))
LATE(int, PQnfields, (const PGresult *res), (res))
LATE(PGnotify *, PQnotifies, (PGconn *conn), (conn))
LATE(int, PQntuples, (const PGresult *res), (res))
LATE(const char *, PQparameterStatus, (const PGconn *conn, const char *paramName), (conn, paramName))
LATE(char *, PQpass, (const PGconn *conn), (conn))
LATE(char *, PQport, (const PGconn *conn), (conn))
LATE(int, PQpipelineSync, (PGconn *conn), (conn))
LATE(int, PQputCopyData, (PGconn *conn, const char *buffer, int nbytes), (conn, buffer, nbytes))
LATE(int, PQputCopyEnd, (PGconn *conn, const char *errormsg), (conn, errormsg))
LATE(char *, PQresultErrorField, (const PGresult *res, int fieldcode), (res, fieldcode))
LATE(char *, PQresultErrorMessage, (const PGresult *res), (res))
LATE(ExecStatusType, PQresultStatus, (const PGresult *res), (res))
LATE(int, PQsendPrepare, (PGconn *conn, const char *stmtName, const char *query, int nParams, const Oid *paramTypes), (conn, stmtName, query, nParams, paramTypes))
LATE(int, PQsendQuery, (PGconn *conn, const char *query), (conn, query))
LATE(int, PQsendQueryParams, (PGconn *conn, const char *command, int nParams, const Oid *paramTypes, const char *const *paramValues, const int *paramLengths, const int *paramFormats, int resultFormat), (conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat))
LATE(int, PQsendQueryPrepared, (PGconn *conn, const char *stmtName, int nParams, const char *const *paramValues, const int *paramLengths, const int *paramFormats, int resultFormat), (conn, stmtName, nParams, paramValues, paramLengths, paramFormats, resultFormat))
LATE(int, PQserverVersion, (const PGconn *conn), (conn))
LATE(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn *conn, PQnoticeReceiver proc, void *arg), (conn, proc, arg))
LATE(int, PQsetnonblocking, (PGconn *conn, int arg), (conn, arg))
LATE(int, PQsocket, (const PGconn *conn), (conn))
LATE(int, PQsslInUse, (PGconn *conn), (conn))
LATE(void *, PQsslStruct, (PGconn *conn, const char *struct_name), (conn, struct_name))
LATE(ConnStatusType, PQstatus, (const PGconn *conn), (conn))
LATE(PGTransactionStatusType, PQtransactionStatus, (const PGconn *conn), (conn))
LATE(char *, PQuser, (const PGconn *conn), (conn))
LATE(int, ASN1_TIME_to_tm, (const ASN1_TIME *s, struct tm *tm), (s, tm))
LATE(X509 *, PEM_read_X509, (FILE *file, X509 **out, pem_password_cb *callback, void *ctx), (file, out, callback, ctx))
LATE(X509 *, SSL_get1_peer_certificate, (const SSL *ssl), (ssl))
LATE(const ASN1_TIME *, X509_get0_notAfter, (const X509 *certificate), (certificate))
LATE(void, X509_free, (X509 * certificate), (certificate))
LATE(int, SSL_read, (SSL * ssl, void *buffer, int length), (ssl, buffer, length))
LATE(int, SSL_write, (SSL * ssl, const void *buffer, int length), (ssl, buffer, length))
LATE(int, SSL_get_error, (const SSL *ssl, int result), (ssl, result))
LATE(void, ERR_clear_error, (void), ())
/* clang-format on */
