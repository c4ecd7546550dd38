-- Privileges for a schema can only add to the others, so they are written as they are; those for all schemas stand in for what is built in, so they are written as the difference. acldefault() calls
-- sequences 's'.
SELECT d.oid,
       d.defaclobjtype AS name,
       d.defaclnamespace AS schema,
       d.defaclrole AS owner,
       d.defaclacl AS acl,
       CASE WHEN d.defaclnamespace <> 0 THEN '{}'
            WHEN d.defaclobjtype = 'S' THEN acldefault('s', d.defaclrole)
            ELSE acldefault(d.defaclobjtype, d.defaclrole) END AS default_acl
FROM pg_catalog.pg_default_acl d
