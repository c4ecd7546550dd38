-- Every type PostgreSQL has, and one of each kind that users make, for every_type_survives. The rows are in types_rows.sql.
CREATE SCHEMA types;
SET search_path = types, public;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;

CREATE TYPE mood AS ENUM ('sad', 'so so', 'quote''d "label"', 'glücklich');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN short_text AS varchar(10);
CREATE DOMAIN positive_again AS positive;
CREATE DOMAIN int_list AS int[];
CREATE TYPE point3 AS (x float8, y float8, z float8);
CREATE TYPE address AS (street text, "house number" int, tags text[], place point3, feeling mood);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE text_range AS RANGE (subtype = text);

CREATE TABLE numbers (
    id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, n numeric, n_10_2 numeric(10,2), n_18_9 numeric(18,9), n_38_10 numeric(38,10),
    n_50_20 numeric(50,20), n_5_m2 numeric(5,-2), n_3_5 numeric(3,5), f4 float4, f8 float8, m money, flag boolean
);
CREATE TABLE texts (
    id int PRIMARY KEY, t text, v varchar, v10 varchar(10), c5 char(5), c char, internal_char "char", n name, ci citext, bytes bytea,
    bits bit(5), bit1 bit, varbits bit varying, u uuid, x xml, j json, jb jsonb, path jsonpath, vector tsvector, query tsquery, h hstore
);
CREATE TABLE times (
    id int PRIMARY KEY, d date, t time, t0 time(0), ttz timetz, ts timestamp, ts3 timestamp(3), tstz timestamptz, tstz0 timestamptz(0),
    i interval, i_ym interval year to month, i0 interval(0)
);
CREATE TABLE networks (id int PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
CREATE TABLE shapes (id int PRIMARY KEY, p point, l line, s lseg, b box, open path, poly polygon, c circle);
CREATE TABLE systems (id int PRIMARY KEY, o oid, cls regclass, typ regtype, prc regproc, prcd regprocedure, op regoperator, rol regrole, nsp regnamespace,
    cfg regconfig, dic regdictionary, col regcollation, lsn pg_lsn, x xid, x8 xid8, cm cid, ct tid, snap pg_snapshot, tsnap txid_snapshot);
CREATE TABLE own (
    id int PRIMARY KEY, feeling mood, p positive, pp positive_again, s short_text, list int_list, place point3, home address,
    moods mood[], places point3[], homes address[], positives positive[], lists int_list[]
);
CREATE TABLE ranges (
    id int PRIMARY KEY, i4 int4range, i8 int8range, n numrange, ts tsrange, tstz tstzrange, d daterange, f float_range, t text_range,
    i4s int4range[], mi4 int4multirange, mi8 int8multirange, mn nummultirange, mts tsmultirange, mtstz tstzmultirange, md datemultirange,
    mfs float_multirange, md_list datemultirange[]
);
CREATE TABLE arrays (
    id int PRIMARY KEY, i2 int2[], i4 int[], i8 int8[], n numeric[], n_10_2 numeric(10,2)[], f4 float4[], f8 float8[], flag boolean[], t text[],
    v varchar(5)[], c char(3)[], bytes bytea[], d date[], tm time[], ts timestamp[], tstz timestamptz[], i interval[], u uuid[], j json[],
    jb jsonb[], net inet[], bits bit(3)[], p point[], b box[], h hstore[], ranges int4range[]
);
CREATE TABLE zero ();
CREATE TABLE "Strange ""Table"".ü" (
    "Id" int PRIMARY KEY, "select" text, "with space" text, "dot.ted" text, "quo""ted" text, "apo'strophe" text, "ünïcode 🚚" text,
    "back\slash" text, "new
line" text, "%s{0}$1:x" text
);
CREATE SCHEMA "Other.Schema ""x""";
CREATE TABLE "Other.Schema ""x"""."TABLE" ("ID" int PRIMARY KEY, "Name" text);
DO $$ BEGIN
    EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || i || CASE i WHEN 1 THEN ' int PRIMARY KEY' ELSE ' int' END, ', ')
        FROM generate_series(1, 1600) AS i) || ')';
END $$;
