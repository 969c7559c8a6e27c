/* Golden texts of test_status.c: what users and programs see, exactly. */
#ifndef GOLDEN_STATUS_H
#define GOLDEN_STATUS_H

/* clang-format off */
#define GOLDEN_JSON \
	"{\"schema\":2,\"version\":\"0.1.0\",\"pid\":1,\"time\":\"2026-11-23T06:00:00.000Z\",\"started_at\":\"2026-11-23T03:53:20.000Z\",\"uptime_msec\":7600000," \
	"\"state\":\"ready\",\"since\":\"2026-11-23T05:57:00.000Z\",\"age_msec\":180000,\"ready\":true," \
	"\"why\":\"\",\"advice\":\"\"," \
	"\"volume\":\"/var/lib/bucardo-machine\",\"runtime\":\"/run/bucardo-machine\",\"found\":\"syncs, replication on\"," \
	"\"config\":{\"path\":\"/var/lib/bucardo-machine/machine.yaml\"," \
	"\"state\":\"default\",\"errors\":[]}," \
	"\"pgpass\":{\"warnings\":[]},\"orphans_reaped\":0,\"log_lines_dropped\":0,\"longest_iteration_usec\":0,\"recoveries\":[],\"host\":null," \
	"\"units\":[{\"name\":\"postgres\",\"kind\":\"postgres\"," \
	"\"state\":\"ready\",\"since\":\"2026-11-23T03:55:00.000Z\",\"age_msec\":7500000,\"wanted\":true,\"pid\":20,\"restarts\":0,\"failures\":0,\"retry_in_msec\":null," \
	"\"last_exit\":\"\"," \
	"\"why\":\"ready\",\"stopped_by\":\"\",\"stopped_at\":null},{\"name\":\"bucardo\",\"kind\":\"bucardo\"," \
	"\"state\":\"ready\",\"since\":\"2026-11-23T05:56:40.000Z\",\"age_msec\":200000,\"wanted\":true,\"pid\":31,\"restarts\":2,\"failures\":0,\"retry_in_msec\":null," \
	"\"last_exit\":\"killed by SIGKILL\"," \
	"\"why\":\"ready\",\"stopped_by\":\"\",\"stopped_at\":null}]," \
	"\"databases\":[{\"name\":\"src\",\"role\":\"source\",\"part\":\"source\",\"reach\":\"yes\",\"since\":\"2026-11-23T04:03:20.000Z\",\"age_msec\":7000000,\"error\":\"\"},{\"name\":\"dst\",\"role\":\"target\",\"part\":\"destination\",\"reach\":\"yes\",\"since\":\"2026-11-23T04:03:20.000Z\",\"age_msec\":7000000,\"error\":\"\"}]," \
	"\"syncs\":[{\"name\":\"app\",\"health\":\"catching-up\",\"since\":\"2026-11-23T05:59:48.000Z\",\"age_msec\":12000," \
	"\"why\":\"\",\"advice\":\"\",\"backlog_rows\":12345,\"lag_msec\":3100," \
	"\"good_age_msec\":4000,\"bad_age_msec\":null,\"bad_text\":\"\",\"blocker\":null,\"step\":\"none\",\"trend\":\"shrinks\",\"shrink_rate\":40,\"catch_up_msec\":300000,\"requeued_rows\":2,\"conflicts\":0,\"applied_rows\":0}],\"migrations\":[],\"receivers\":[]}"

#define GOLDEN_WELL \
	"The machine has been ready for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"\n" \
	"SYNC  HEALTH       FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app   catching-up  12 s   12,345  3 s  4 s ago\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  yes        1 h 56 min\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_MIGRATION \
	"The machine has been ready for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"\n" \
	"MIGRATION  STATE         FOR        PROGRESS\n" \
	"app        copy running  1 min 5 s  50 %, done in 2 s\n" \
	"    [###################...................] 2.0 kB of 4.0 kB, 50 %, 1.0 kB/s, done in 2 s\n" \
	"    now: copying rows: 2 of 5 chunks, 1,234 rows\n" \
	"    public.film  [####################....................]  50 %  512 bytes of 1.0 kB\n" \
	"    lag: 3 s, 12,345 rows wait, catches up in 5 min; 2 rows requeued\n" \
	"\n" \
	"SYNC      HEALTH       FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app_sync  catching-up  12 s   12,345  3 s  4 s ago\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  yes        1 h 56 min\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_EMPTY \
	"The machine has been ready for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"\n" \
	"No sync is configured: nothing is replicated yet (`bucardo add sync` makes one).\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: nothing, a new volume\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_AWAY \
	"The machine has been degraded for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"  why      sync 'app' is unreachable: database 'dst' is unreachable\n" \
	"  advice   see that the server of 'dst' runs and can be reached from this pod; replication goes on\n" \
	"           by itself then\n" \
	"\n" \
	"SYNC  HEALTH       FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app   unreachable  12 s   12,345  3 s  4 s ago\n" \
	"    why: database 'dst' is unreachable\n" \
	"    advice: see that the server of 'dst' runs and can be reached from this pod; replication goes on\n" \
	"            by itself then\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  no         1 min 1 s\n" \
	"    error: connection to server at \"10.0.0.2\", port 5432 failed: Connection refused\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_BLOCKED \
	"The machine has been degraded for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"  why      sync 'app' is blocked\n" \
	"\n" \
	"SYNC  HEALTH   FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app   blocked  12 s   12,345  3 s  4 s ago\n" \
	"    why: waits for a lock on the destination\n" \
	"    blocker: pid 4711 in database 'dst': LOCK TABLE public.rental [2J IN ACCESS EXCLUSIVE MODE\n" \
	"    advice: let that session finish, or end it with SELECT pg_terminate_backend(4711)\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  yes        1 h 56 min\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_FAILING \
	"The machine has been degraded for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"  why      sync 'app' is failing\n" \
	"\n" \
	"SYNC  HEALTH   FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app   failing  12 s   12,345  3 s  never\n" \
	"    error: Source and target database mismatch: column 'note' of table public.film is on the source\n" \
	"           only, and the target has no such column\n" \
	"    advice: add the column to the destination\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  yes        1 h 56 min\n" \
	"\n" \
	"UNIT      STATE  PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  ready   20  2 h 5 min          0  -\n" \
	"bucardo   ready   31  3 min 20 s         2  killed by SIGKILL\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_HOLDING \
	"The machine has been holding for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"  why      the volume holds data of PostgreSQL 13, and this image has 17\n" \
	"  advice   use the image with PostgreSQL 13, or move the data away\n" \
	"  errors   machine.yaml:3:5: supervision.give_up_afer: unknown key\n" \
	"           machine.yaml:9:1: unit: unknown key; did you mean 'units'?\n" \
	"  pgpass   line 4 has 3 fields, 5 are needed\n" \
	"\n" \
	"No sync is known (yet).\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: data of another PostgreSQL\n" \
	"  config   /var/lib/bucardo-machine/machine.yaml, REJECTED: nothing starts before it is fixed\n"

#define GOLDEN_CLOSED_VOLUME \
	"The machine has been holding for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"  why      '/var/lib/bucardo-machine' belongs to uid 0\n" \
	"  advice   give it to the machine's user\n" \
	"\n" \
	"No sync is known (yet).\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

#define GOLDEN_STOPPED \
	"The machine has been degraded for 3 min  (bucardo-machine 0.1.0, pid 1, up 2 h 6 min)\n" \
	"\n" \
	"SYNC  HEALTH   FOR   BACKLOG  LAG  LAST GOOD RUN\n" \
	"app   stopped  12 s        ?  ?    4 s ago\n" \
	"\n" \
	"DATABASE  PART         REACHABLE  FOR\n" \
	"src       source       yes        1 h 56 min\n" \
	"dst       destination  yes        1 h 56 min\n" \
	"\n" \
	"UNIT      STATE    PID  FOR         RESTARTS  LAST EXIT\n" \
	"postgres  backoff    -  2 h 5 min          0  exit code 1\n" \
	"    why: died\n" \
	"    next try: in 4 s (failed 3 times in a row)\n" \
	"bucardo   down       -  3 min 20 s         2  killed by SIGKILL\n" \
	"    why: no longer wanted\n" \
	"    stopped by: service stop (uid 0) at 2026-11-23T05:59:00.000Z; `bucardo-machine service start\n" \
	"                bucardo` takes it back\n" \
	"\n" \
	"  volume   /var/lib/bucardo-machine, found at the start: syncs, replication on\n" \
	"  config   all defaults, there is no /var/lib/bucardo-machine/machine.yaml\n"

/* clang-format on */

#endif
