-- object_prints - of each large object a text that is another one when its bytes, owner or grants were written
-- since: of its pages only their headers are read.
SELECT m.oid AS loid, concat_ws(' ', m.xmin, p.pages, p.sum) AS print FROM pg_largeobject_metadata m
LEFT JOIN (SELECT l.loid, count(*) AS pages, sum(hashtextextended(concat_ws(' ', l.pageno, l.xmin, l.ctid), 0)) AS sum
  FROM pg_largeobject l GROUP BY l.loid) p ON p.loid = m.oid
