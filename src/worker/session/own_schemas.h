/*
 * own_schemas - nobody else has a say in the schemas of the machine and of Bucardo
 *
 * A statement for either side, before something is made there and in each pass: it refuses a
 * foreign owner, whose functions would run with our rights, and takes back rights to write
 * that default privileges gave away. Several migrations may run it at once.
 */
#ifndef WORKER_SESSION_OWN_SCHEMAS_H
#define WORKER_SESSION_OWN_SCHEMAS_H

extern const char bm_own_schemas_sql[];

#endif
