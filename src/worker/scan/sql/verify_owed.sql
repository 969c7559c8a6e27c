-- verify_owed - tables of this side whose rows the machine knows to differ: all of them are to be sent again, or the key
-- by which their changes were captured is gone. Only where there are tables machine_touches and machine_keys.
SELECT tablename, 'all its rows are being sent again: `status` says why' FROM bucardo.machine_touches t
WHERE NOT (coalesce((to_jsonb(t)->>'held')::boolean, false) AND to_jsonb(t)->>'why' IS NULL)
UNION ALL
SELECT name, 'its changes are not captured, since its key is gone: `status` says what to do' FROM bucardo.machine_keys
WHERE columns = '{0}'
