-- An operator or support function belongs to a class's CREATE when pg_depend ties it to the class, to ALTER OPERATOR FAMILY … ADD when it is tied to the family itself. An operator FOR ORDER BY is tied to
-- the family that sorts, too: that is not its own. Built-in classes have no such rows, and what an extension made comes with it.
--
-- pg_dump sorts the operators of a class or family by their strategy, the functions by their number, and nothing else, so the order of equals comes from the server's sort and its input: operators by types
-- and strategy (an index), functions as they were made. It is the same here because each list has that sort of its own, with that input.
WITH groups AS MATERIALIZED (
    SELECT 'pg_catalog.pg_opclass'::regclass::oid AS class, c.oid, c.opcfamily AS family
    FROM pg_catalog.pg_opclass c
    WHERE c.oid >= 16384
      AND (:upgrade OR c.opcnamespace = ANY (:schemas) AND
           NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                       WHERE e.classid = 'pg_catalog.pg_opclass'::regclass AND e.objid = c.oid AND e.deptype = 'e'))
    UNION ALL
    SELECT 'pg_catalog.pg_opfamily'::regclass::oid, f.oid, f.oid
    FROM pg_catalog.pg_opfamily f
    WHERE f.oid >= 16384
      AND (:upgrade OR f.opfnamespace = ANY (:schemas) AND
           NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                       WHERE e.classid = 'pg_catalog.pg_opfamily'::regclass AND e.objid = f.oid AND e.deptype = 'e'))
), items AS (
    SELECT g.class, g.oid, 'o' AS item, o.oid AS member, o.amopstrategy AS number,
           o.amoplefttype AS left_type, o.amoprighttype AS right_type, o.amopstrategy::bigint AS rank
    FROM groups g
    JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.oid AND d.classid = 'pg_catalog.pg_amop'::regclass
    JOIN pg_catalog.pg_amop o ON o.oid = d.objid AND o.amopfamily = g.family
    UNION ALL
    SELECT g.class, g.oid, 'p', p.oid, p.amprocnum, 0, 0, p.oid::bigint
    FROM groups g
    JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.oid AND d.classid = 'pg_catalog.pg_amproc'::regclass
    JOIN pg_catalog.pg_amproc p ON p.oid = d.objid
), lists AS (
    SELECT class, oid, item,
           array_agg(member ORDER BY left_type, right_type, rank) AS members,
           array_agg(number ORDER BY left_type, right_type, rank) AS numbers
    FROM items
    GROUP BY class, oid, item
)
SELECT l.class,
       l.oid,
       l.item,
       s.number,
       COALESCE(o.amopopr::regoperator::text, p.amproc::regprocedure::text) AS item_name,
       o.amopsortfamily AS sort_family,
       p.amproclefttype::regtype AS left_name,
       p.amprocrighttype::regtype AS right_name
FROM lists l
CROSS JOIN LATERAL (SELECT row_number() OVER () AS place, t.*
                    FROM (SELECT * FROM unnest(l.members, l.numbers) AS u(member, number) ORDER BY number) t) s
LEFT JOIN pg_catalog.pg_amop o ON l.item = 'o' AND o.oid = s.member
LEFT JOIN pg_catalog.pg_amproc p ON l.item = 'p' AND p.oid = s.member
ORDER BY l.class, l.oid, l.item, s.place
