-- probe_settings - $1 the limit of a statement: settings of a session that only reads what waits.
-- On either side.
SELECT set_config('statement_timeout', $1, false),
set_config('lock_timeout', '1000', false),
set_config('enable_nestloop', 'off', false),
set_config('default_transaction_read_only', 'on', false)
