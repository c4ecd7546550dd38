SELECT c.oid,
       c.conname AS name,
       c.connamespace AS schema,
       c.conowner AS owner,
       c.condefault,
       CASE WHEN :upgrade OR c.connamespace = ANY (:schemas) THEN pg_encoding_to_char(c.conforencoding) END AS from_encoding,
       CASE WHEN :upgrade OR c.connamespace = ANY (:schemas) THEN pg_encoding_to_char(c.contoencoding) END AS to_encoding,
       CASE WHEN :upgrade OR c.connamespace = ANY (:schemas) THEN c.conproc END AS function
FROM pg_catalog.pg_conversion c
