SELECT c.oid,
       c.opcname AS name,
       c.opcnamespace AS schema,
       c.opcowner AS owner,
       c.opcmethod AS access_method,
       c.opcfamily,
       c.opcdefault,
       CASE WHEN :upgrade OR c.opcnamespace = ANY (:schemas) THEN c.opcintype::regtype END AS input_type,
       CASE WHEN c.opckeytype <> 0 AND (:upgrade OR c.opcnamespace = ANY (:schemas)) THEN c.opckeytype::regtype END AS key_type
FROM pg_catalog.pg_opclass c
