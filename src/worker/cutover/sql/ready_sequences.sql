-- ready_sequences - sequences of $1 that this side lacks: values would come from nowhere. One that stands
-- behind is set in the freeze, and is nothing to wait for.
SELECT name, 'it is not there', 'make it there, as it is on the other side'
FROM json_array_elements_text($1::json) name WHERE to_regclass(name) IS NULL ORDER BY 1
