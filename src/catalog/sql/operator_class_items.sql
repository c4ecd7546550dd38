-- An operator or support function belongs to a class's CREATE when pg_depend ties it to the class, to ALTER OPERATOR FAMILY … ADD when it is tied to the family itself. An operator FOR ORDER BY is tied to
-- the family that sorts, too: that is not its own. Built-in ones have no such rows.
--
-- pg_dump sorts the operators of a class or family by their strategy, the functions by their number, and nothing else, so the order of equals comes from the server's sort and its input (for operators an index
-- by types and strategy). It is the same here because each class and family has that sort of its own, with that input.
WITH groups AS (
    SELECT 'pg_catalog.pg_opclass'::regclass::oid AS class, c.oid, c.opcfamily AS family
    FROM pg_catalog.pg_opclass c
    WHERE c.oid >= 16384 AND (:upgrade OR c.opcnamespace = ANY (:schemas))
    UNION ALL
    SELECT 'pg_catalog.pg_opfamily'::regclass::oid, f.oid, f.oid
    FROM pg_catalog.pg_opfamily f
    WHERE f.oid >= 16384 AND (:upgrade OR f.opfnamespace = ANY (:schemas))
)
SELECT g.class, g.oid, 'o' AS item, i.*
FROM groups g,
     LATERAL (SELECT row_number() OVER () AS place, s.*
              FROM (SELECT *
                    FROM (SELECT o.amopstrategy AS number,
                                 o.amopopr::regoperator::text AS item_name,
                                 o.amopsortfamily AS sort_family,
                                 NULL::text AS left_name,
                                 NULL::text AS right_name
                          FROM pg_catalog.pg_amop o
                          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_amop'::regclass AND d.objid = o.oid
                          WHERE d.refclassid = g.class AND d.refobjid = g.oid AND o.amopfamily = g.family
                          ORDER BY o.amoplefttype, o.amoprighttype, o.amopstrategy) t
                    ORDER BY number) s) i
UNION ALL
SELECT g.class, g.oid, 'p', i.*
FROM groups g,
     LATERAL (SELECT row_number() OVER (), s.*
              FROM (SELECT p.amprocnum,
                           p.amproc::regprocedure::text,
                           0::oid,
                           p.amproclefttype::regtype::text,
                           p.amprocrighttype::regtype::text
                    FROM pg_catalog.pg_amproc p, pg_catalog.pg_depend d
                    WHERE d.refclassid = g.class AND d.refobjid = g.oid AND d.classid = 'pg_catalog.pg_amproc'::regclass AND d.objid = p.oid
                    ORDER BY p.amprocnum) s) i
ORDER BY class, oid, item, place
