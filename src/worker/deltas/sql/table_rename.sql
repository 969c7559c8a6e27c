-- table_rename - $1 a table as Bucardo knows it, $2 its name now, $3 the migration. In the control
-- database.
UPDATE bucardo.goat SET schemaname = (parse_ident($2))[1], tablename = (parse_ident($2))[2]
WHERE db = $3 || '_source' AND reltype = 'table'
AND quote_ident(schemaname) || '.' || quote_ident(tablename) = $1
