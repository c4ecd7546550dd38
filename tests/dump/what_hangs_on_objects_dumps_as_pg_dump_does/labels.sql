-- What needs a module to be made by commands, made in the catalogs: labels and configuration tables. Such a dump is compared, not restored.
INSERT INTO pg_catalog.pg_shseclabel SELECT oid, 'pg_database'::regclass, 'one', 'of the ''database''' FROM pg_database WHERE datname = current_database();
INSERT INTO pg_catalog.pg_seclabel
SELECT o.oid, o.class, o.number, p.provider, p.provider || ' label'
FROM (VALUES ('own'::regnamespace::oid, 'pg_namespace'::regclass, 0), ('own.t'::regclass, 'pg_class', 0), ('own.t'::regclass, 'pg_class', 2),
             ('own.t'::regclass, 'pg_class', 4), ('own.v'::regclass, 'pg_class', 1), ('own.sq'::regclass, 'pg_class', 0),
             ('own.pair'::regtype, 'pg_type', 0), ('own.pr(int)'::regprocedure, 'pg_proc', 0), ('own.ag(int)'::regprocedure, 'pg_proc', 0),
             (80001, 'pg_largeobject', 0)) AS o(oid, class, number),
     (VALUES ('Two')) AS p(provider);
CREATE EXTENSION hstore SCHEMA own;
CREATE TABLE own.config_parent (id int PRIMARY KEY, standard bool, v text);
CREATE TABLE own.config_child (id int PRIMARY KEY, p int REFERENCES own.config_parent);
CREATE SEQUENCE own.config_sequence;
CREATE TABLE own.config_a (id int);
INSERT INTO own.config_parent VALUES (1, true, 'standard'), (2, false, 'the user''s');
INSERT INTO own.config_child VALUES (1, 2);
INSERT INTO own.config_a VALUES (1);
SELECT nextval('own.config_sequence');
GRANT SELECT ON own.config_a TO PUBLIC;
INSERT INTO pg_catalog.pg_init_privs SELECT oid, 'pg_class'::regclass, 0, 'e', relacl FROM pg_class WHERE oid = 'own.config_a'::regclass;
GRANT UPDATE ON own.config_a TO hang_b;
ALTER EXTENSION hstore ADD TABLE own.config_a;
ALTER EXTENSION hstore ADD TABLE own.config_child;
ALTER EXTENSION hstore ADD TABLE own.config_parent;
ALTER EXTENSION hstore ADD SEQUENCE own.config_sequence;
UPDATE pg_catalog.pg_extension
SET extconfig = ARRAY['own.config_child'::regclass, 'own.config_parent'::regclass, 'own.config_sequence'::regclass, 'own.config_a'::regclass]::oid[],
    extcondition = ARRAY['', 'WHERE NOT standard', '', '']
WHERE extname = 'hstore';
