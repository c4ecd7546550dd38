-- An operator or support function belongs to a class's CREATE when pg_depend ties it to the class, to ALTER OPERATOR FAMILY … ADD when it is tied to the family itself. An operator FOR ORDER BY is tied to
-- the family that sorts, too: that is not its own. Built-in ones have no such rows.
--
-- pg_dump sorts the operators of a class or family by their strategy, the functions by their number, and nothing else, so the order of equals comes from the server's sort and its input: operators by types
-- and strategy (an index), functions as they were made. It is the same here because each list has that sort of its own, with that input.
WITH items AS (
    SELECT d.refclassid AS class, d.refobjid AS oid, 'o' AS item, o.oid AS member, o.amopstrategy AS number,
           o.amoplefttype AS left_type, o.amoprighttype AS right_type, o.amopstrategy::bigint AS rank
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_amop o ON o.oid = d.objid
    LEFT JOIN pg_catalog.pg_opclass c ON d.refclassid = 'pg_catalog.pg_opclass'::regclass AND c.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_amop'::regclass
      AND d.refclassid IN ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass)
      AND o.amopfamily = COALESCE(c.opcfamily, d.refobjid)
    UNION ALL
    SELECT d.refclassid, d.refobjid, 'p', p.oid, p.amprocnum, 0, 0, p.oid::bigint
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_amproc p ON p.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_amproc'::regclass
      AND d.refclassid IN ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass)
), lists AS (
    SELECT class, oid, item,
           array_agg(member ORDER BY left_type, right_type, rank) AS members,
           array_agg(number ORDER BY left_type, right_type, rank) AS numbers
    FROM items i
    -- what belongs to an extension comes with it
    WHERE :upgrade OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = i.class AND e.objid = i.oid AND e.deptype = 'e')
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
