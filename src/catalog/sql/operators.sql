-- All of them, since operators stand in the definitions of others; what is costly to make only of those that can be written.
SELECT o.oid,
       o.oprname AS name,
       o.oprnamespace AS schema,
       o.oprowner AS owner,
       o.oprkind,
       o.oprleft,
       o.oprright,
       o.oprcode::oid AS oprcode,
       o.oprcom,
       o.oprnegate,
       o.oprcanmerge,
       o.oprcanhash,
       CASE WHEN :upgrade OR o.oprnamespace = ANY (:schemas) THEN o.oprcode::regprocedure END AS code_name,
       CASE WHEN :upgrade OR o.oprnamespace = ANY (:schemas) THEN o.oprleft::regtype END AS left_name,
       CASE WHEN :upgrade OR o.oprnamespace = ANY (:schemas) THEN o.oprright::regtype END AS right_name,
       CASE WHEN :upgrade OR o.oprnamespace = ANY (:schemas) THEN o.oprrest::regprocedure END AS rest_name,
       CASE WHEN :upgrade OR o.oprnamespace = ANY (:schemas) THEN o.oprjoin::regprocedure END AS join_name
FROM pg_catalog.pg_operator o
