-- key_replace - $1 a migration, $2 a table, $3 to $5 its key as Bucardo writes it: columns, quoted
-- columns, types. In the control database.
UPDATE bucardo.goat SET pkey = $3, qpkey = $4, pkeytype = $5
WHERE db = $1 || '_source' AND reltype = 'table'
AND quote_ident(schemaname) || '.' || quote_ident(tablename) = $2
