-- apply_paths - of the control database: the tables of migration $1 that can be read and written only with a
-- search_path on the side $2 (worker/reconcile/table_paths.h), and which.
SELECT tablename, path FROM bucardo.machine_paths WHERE migration = $1 AND side = $2
