-- Types, functions, aggregates, languages, casts and transforms with all that they can have.
CREATE SCHEMA kinds AUTHORIZATION dump_owner; CREATE SCHEMA "we ird";
-- languages
CREATE FUNCTION kinds.h() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql','plpgsql_call_handler';
CREATE FUNCTION kinds.i(internal) RETURNS void LANGUAGE c AS '$libdir/plpgsql','plpgsql_inline_handler';
CREATE FUNCTION kinds.v(oid) RETURNS void LANGUAGE c AS '$libdir/plpgsql','plpgsql_validator';
CREATE TRUSTED LANGUAGE pla HANDLER kinds.h INLINE kinds.i VALIDATOR kinds.v;
CREATE LANGUAGE plb HANDLER kinds.h;
COMMENT ON LANGUAGE pla IS 'la''ng'; GRANT USAGE ON LANGUAGE pla TO dump_owner WITH GRANT OPTION; REVOKE USAGE ON LANGUAGE pla FROM public; ALTER LANGUAGE pla OWNER TO dump_owner;
GRANT USAGE ON LANGUAGE plpgsql TO dump_owner;
-- types
CREATE TYPE kinds.undef; COMMENT ON TYPE kinds.undef IS 'shell';
CREATE TYPE kinds.bt;
CREATE FUNCTION kinds.bt_in(cstring) RETURNS kinds.bt LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION kinds.bt_out(kinds.bt) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION kinds.bt_recv(internal) RETURNS kinds.bt LANGUAGE internal IMMUTABLE STRICT AS 'textrecv';
CREATE FUNCTION kinds.bt_send(kinds.bt) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'textsend';
CREATE FUNCTION kinds.tmi(cstring[]) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
CREATE FUNCTION kinds.tmo(int) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
CREATE TYPE kinds.bt (INTERNALLENGTH=variable, INPUT=kinds.bt_in, OUTPUT=kinds.bt_out, RECEIVE=kinds.bt_recv, SEND=kinds.bt_send, TYPMOD_IN=kinds.tmi, TYPMOD_OUT=kinds.tmo, ANALYZE=pg_catalog.array_typanalyze, COLLATABLE=true, DEFAULT='d''x', CATEGORY='X', PREFERRED=true, DELIMITER=';', ALIGNMENT=double, STORAGE=extended);
CREATE TYPE kinds.fixed;
CREATE FUNCTION kinds.f_in(cstring) RETURNS kinds.fixed LANGUAGE internal IMMUTABLE STRICT AS 'point_in';
CREATE FUNCTION kinds.f_out(kinds.fixed) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'point_out';
CREATE TYPE kinds.fixed (INTERNALLENGTH=16, INPUT=kinds.f_in, OUTPUT=kinds.f_out, SUBSCRIPT=raw_array_subscript_handler, ELEMENT=float8, ALIGNMENT=double); --@ 14+
CREATE TYPE kinds.bv;
CREATE FUNCTION kinds.bv_in(cstring) RETURNS kinds.bv LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION kinds.bv_out(kinds.bv) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE kinds.bv (LIKE=int4, INPUT=kinds.bv_in, OUTPUT=kinds.bv_out);
ALTER TYPE kinds.bt OWNER TO dump_owner; GRANT USAGE ON TYPE kinds.bt TO dump_reader; COMMENT ON TYPE kinds.bt IS E'base\ntype';
REVOKE ALL ON TYPE kinds.bt FROM public;
CREATE TYPE "we ird"."Co m" AS (a int, "B b" text COLLATE "C", c varchar(10)[], d numeric(5,2));
ALTER TYPE "we ird"."Co m" DROP ATTRIBUTE a; ALTER TYPE "we ird"."Co m" ADD ATTRIBUTE e kinds.bt(5);
COMMENT ON COLUMN "we ird"."Co m"."B b" IS 'col';
CREATE TYPE kinds.empty AS ();
CREATE TYPE kinds.en AS ENUM ('a','b''c','D"x\y'); ALTER TYPE kinds.en ADD VALUE 'mid' BEFORE 'a'; COMMENT ON TYPE kinds.en IS 'enum';
CREATE TYPE kinds.enempty AS ENUM ();
CREATE COLLATION "we ird".coll FROM "C";
CREATE FUNCTION kinds.dchk(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 IS NOT NULL';
CREATE DOMAIN kinds.d1 AS varchar(20) COLLATE "we ird".coll DEFAULT 'x''y'::text NOT NULL CONSTRAINT "c 1" CHECK (value <> 'a') CHECK (kinds.dchk(value));
COMMENT ON DOMAIN kinds.d1 IS 'dom'; COMMENT ON CONSTRAINT "c 1" ON DOMAIN kinds.d1 IS 'domcon';
CREATE DOMAIN kinds.d2 AS kinds.d1; ALTER DOMAIN kinds.d2 ADD CONSTRAINT nv CHECK (length(value)>1) NOT VALID; COMMENT ON CONSTRAINT nv ON DOMAIN kinds.d2 IS 'nvc';
CREATE DOMAIN kinds.d3 AS text COLLATE "C"; CREATE DOMAIN kinds.d4 AS kinds.d1[]; GRANT USAGE ON DOMAIN kinds.d3 TO dump_owner; REVOKE USAGE ON DOMAIN kinds.d3 FROM PUBLIC;
CREATE TYPE kinds.r1;
CREATE FUNCTION kinds.canon(kinds.r1) RETURNS kinds.r1 LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE FUNCTION kinds.sdiff(text,text) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 0::float8';
CREATE TYPE kinds.r1 AS RANGE (subtype=int4, canonical=kinds.canon, subtype_diff=int4range_subdiff);
CREATE TYPE kinds.r2 AS RANGE (subtype=text, collation="C", subtype_opclass=text_pattern_ops, subtype_diff=kinds.sdiff, multirange_type_name="we ird"."M R"); --@ 14+
CREATE TYPE kinds.r3 AS RANGE (subtype=kinds.d3);
CREATE TABLE kinds.rt (a int, b kinds.en);
-- functions
CREATE FUNCTION kinds.f1(a int, b text DEFAULT 'q', OUT c int, INOUT d int DEFAULT 4, VARIADIC e int[] DEFAULT '{}') LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER LEAKPROOF COST 3.5 PARALLEL RESTRICTED SET search_path = kinds, "$user", "Mi x", '' SET work_mem='1MB' SET datestyle='ISO' AS $$BEGIN c:=1; d:=2; /* $_$ */ END$$;
COMMENT ON FUNCTION kinds.f1 IS 'ff'; GRANT EXECUTE ON FUNCTION kinds.f1 TO dump_owner; REVOKE EXECUTE ON FUNCTION kinds.f1 FROM public; ALTER FUNCTION kinds.f1 OWNER TO dump_owner;
CREATE FUNCTION kinds.f2() RETURNS TABLE(x int, "y y" kinds.en) LANGUAGE sql ROWS 5 COST 100 PARALLEL SAFE AS 'SELECT 1, NULL::kinds.en';
CREATE FUNCTION kinds.f3(kinds.rt) RETURNS SETOF kinds.rt LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT * FROM kinds.rt; END; --@ 14+
CREATE FUNCTION kinds.f4(x int) RETURNS int LANGUAGE sql RETURN x + 1; --@ 14+
CREATE FUNCTION kinds.f5(VARIADIC "any") RETURNS trigger LANGUAGE internal AS 'suppress_redundant_updates_trigger';
CREATE FUNCTION kinds.w() RETURNS int8 LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE FUNCTION kinds.supp(int,int) RETURNS SETOF int LANGUAGE internal ROWS 7 SUPPORT generate_series_int4_support AS 'generate_series_int4';
CREATE PROCEDURE kinds.p1(INOUT a int, IN b text, OUT c text) LANGUAGE plpgsql AS $$BEGIN END$$; --@ 14+
COMMENT ON PROCEDURE kinds.p1 IS 'pp'; GRANT ALL ON PROCEDURE kinds.p1 TO dump_owner; --@ 14+
CREATE PROCEDURE kinds.p2() LANGUAGE sql BEGIN ATOMIC INSERT INTO kinds.rt VALUES (1,'a'); DELETE FROM kinds.rt; END; --@ 14+
CREATE FUNCTION "we ird"."Fn (x"("a b" int) RETURNS int LANGUAGE sql AS $Q$ SELECT $1 -- '$$' $_$ \
$Q$;
CREATE FUNCTION kinds."f,(" (text) RETURNS text LANGUAGE internal AS 'upper';
CREATE FUNCTION kinds.cfun(text) RETURNS text LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION kinds.dep(int) RETURNS int LANGUAGE plpgsql AS 'begin end'; ALTER FUNCTION kinds.dep(int) DEPENDS ON EXTENSION plpgsql;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO dump_owner; GRANT EXECUTE ON FUNCTION pg_catalog.sum(int) TO dump_owner;REVOKE EXECUTE ON FUNCTION pg_catalog.count() FROM public;
CREATE FUNCTION kinds.tr1(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'prsd_lextype'; 
-- transforms
CREATE TRANSFORM FOR kinds.en LANGUAGE pla (FROM SQL WITH FUNCTION kinds.tr1(internal));
CREATE FUNCTION kinds.tr2(internal) RETURNS kinds.bv LANGUAGE internal IMMUTABLE AS 'prsd_lextype';
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS 'tr';
CREATE FUNCTION kinds.ftr(kinds.en, kinds.bv) RETURNS int LANGUAGE pla TRANSFORM FOR TYPE kinds.en AS 'begin end';
-- casts
CREATE CAST (kinds.en AS kinds.bv) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION kinds.tocast(kinds.bt, int, bool) RETURNS kinds.en LANGUAGE plpgsql AS 'begin end';
CREATE CAST (kinds.bt AS kinds.en) WITH FUNCTION kinds.tocast(kinds.bt, int, bool) AS IMPLICIT; COMMENT ON CAST (kinds.bt AS kinds.en) IS 'cc';
CREATE CAST (int AS kinds.bv) WITHOUT FUNCTION AS IMPLICIT; 
CREATE CAST (int8 AS kinds.bv) WITH INOUT;
CREATE CAST (kinds.rt AS text) WITH INOUT AS IMPLICIT; CREATE CAST (money AS box) WITH INOUT; CREATE CAST (date AS kinds.bt) WITH INOUT;
CREATE FUNCTION kinds.bv2i(kinds.bv) RETURNS int LANGUAGE internal AS 'int4pl';
CREATE CAST (inet AS bytea) WITH FUNCTION pg_catalog.inet_send(inet) AS ASSIGNMENT;
-- aggregates
CREATE AGGREGATE kinds.a0(*) (SFUNC=int8inc, STYPE=int8, INITCOND='0');
CREATE AGGREGATE kinds.a2(x float8) (SFUNC=float8_accum, STYPE=float8[], SSPACE=100, FINALFUNC=float8_avg, COMBINEFUNC=float8_combine, INITCOND='{0,0,0}', PARALLEL=safe, FINALFUNC_MODIFY=shareable);
CREATE AGGREGATE kinds.a3(int8) (SFUNC=int8_avg_accum, STYPE=internal, FINALFUNC=numeric_poly_avg, COMBINEFUNC=int8_avg_combine, SERIALFUNC=int8_avg_serialize, DESERIALFUNC=int8_avg_deserialize, MSFUNC=int8_avg_accum, MINVFUNC=int8_avg_accum_inv, MSTYPE=internal, MSSPACE=48, MFINALFUNC=numeric_poly_avg, MFINALFUNC_MODIFY=read_write, PARALLEL=restricted);
CREATE AGGREGATE kinds.a4(int) (SFUNC=int4larger, STYPE=int, SORTOP= >);
CREATE AGGREGATE kinds.a5(int) (SFUNC=int4_sum, STYPE=int8, MSFUNC=int4_avg_accum, MINVFUNC=int4_avg_accum_inv, MSTYPE=int8[], MFINALFUNC=int2int4_sum, MINITCOND='{0,0}');
CREATE AGGREGATE kinds.os1(float8 ORDER BY anyelement) (SFUNC=ordered_set_transition, STYPE=internal, FINALFUNC=percentile_disc_final, FINALFUNC_EXTRA=true, FINALFUNC_MODIFY=read_write);
CREATE AGGREGATE kinds.os2(float8 ORDER BY anyelement) (SFUNC=ordered_set_transition, STYPE=internal, FINALFUNC=percentile_disc_final, FINALFUNC_EXTRA=true, FINALFUNC_MODIFY=read_only);
CREATE AGGREGATE kinds.hy(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC=ordered_set_transition_multi, STYPE=internal, FINALFUNC=rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
COMMENT ON AGGREGATE kinds.os1(float8 ORDER BY anyelement) IS 'os'; GRANT EXECUTE ON FUNCTION kinds.os1(float8, anyelement) TO dump_owner; REVOKE EXECUTE ON FUNCTION kinds.os1(float8, anyelement) FROM public;
GRANT EXECUTE ON FUNCTION kinds.a0() TO dump_owner; COMMENT ON AGGREGATE kinds.a0(*) IS 'a0'; ALTER AGGREGATE kinds.a0(*) OWNER TO dump_reader;
CREATE FUNCTION kinds.vsf(int, VARIADIC int[]) RETURNS int LANGUAGE sql AS $$SELECT 1$$;
CREATE AGGREGATE "we ird"."a G"(VARIADIC "v v" int[]) (SFUNC=kinds.vsf, STYPE=int);
-- overloads and sorting
CREATE FUNCTION kinds.o(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION kinds.o(text) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION kinds.o() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION kinds.o(kinds.en) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION kinds.o("we ird"."Co m",int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION kinds.o(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE kinds.o(int8) LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE kinds.o(int2) (SFUNC=int2pl, STYPE=int2);
CREATE DOMAIN kinds.dom_uses AS int CHECK (kinds.o(value) > 0) DEFAULT kinds.o();
CREATE VIEW kinds.vw AS SELECT kinds.a2(1.0::float8), kinds.f4(1); --@ 14+
CREATE FUNCTION kinds.usesview() RETURNS SETOF kinds.vw LANGUAGE sql BEGIN ATOMIC SELECT * FROM kinds.vw; END; --@ 14+
CREATE TABLE kinds.pk (id int primary key, t text);
CREATE FUNCTION kinds.usespk() RETURNS TABLE(id int, t text) LANGUAGE sql BEGIN ATOMIC SELECT id, t FROM kinds.pk GROUP BY id; END; --@ 14+

-- objects that need one another in a ring, settings, names with newlines
CREATE SCHEMA rings; SET search_path = rings, public;
CREATE DOMAIN d AS int; CREATE FUNCTION fd(d) RETURNS bool LANGUAGE plpgsql AS 'begin return true; end'; ALTER DOMAIN d ADD CONSTRAINT c1 CHECK (fd(value)); COMMENT ON CONSTRAINT c1 ON DOMAIN d IS 'loop';
CREATE DOMAIN d5 AS int; CREATE FUNCTION fd5(x d5) RETURNS bool LANGUAGE sql RETURN x > 1; ALTER DOMAIN d5 ADD CONSTRAINT c5 CHECK (fd5(value)) NOT VALID; --@ 14+
CREATE TABLE t1 (a int, b text); CREATE TYPE ct AS (x t1, y t1[]); CREATE TABLE t2 (z ct, w ct[] DEFAULT NULL); 
CREATE FUNCTION ft() RETURNS SETOF t2 LANGUAGE sql AS 'select null::t2'; 
CREATE FUNCTION dflt() RETURNS int LANGUAGE sql AS 'select 1'; CREATE TABLE t3 (a int DEFAULT dflt()); CREATE FUNCTION uset3(t3) RETURNS int LANGUAGE sql AS 'select 1'; ALTER TABLE t3 ALTER a SET DEFAULT dflt() + uset3(NULL);
CREATE VIEW v1 AS SELECT 1 AS q; CREATE FUNCTION fv(v1) RETURNS int LANGUAGE sql AS 'select 1'; CREATE OR REPLACE VIEW v1 AS SELECT fv(NULL) AS q;
CREATE TYPE en AS ENUM ('a'); CREATE FUNCTION setts() RETURNS int LANGUAGE sql SET my.var = 'x y' SET "my.Var2" = '' SET local_preload_libraries = 'a b', '$libdir/c' SET temp_tablespaces = '' SET search_path = '' SET "TimeZone" = 'UTC' SET session_preload_libraries = '"q""r"' AS 'select 1';
CREATE FUNCTION setts2() RETURNS int LANGUAGE sql AS 'select 1';
CREATE FUNCTION setts3() RETURNS int LANGUAGE sql SET search_path TO "a,b", "c""d", 'it''s', pg_temp AS 'select 1';
CREATE TYPE s2; CREATE FUNCTION s2_in(cstring, oid, int4) RETURNS s2 LANGUAGE internal IMMUTABLE STRICT AS 'textin'; CREATE FUNCTION s2_out(s2) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'; CREATE TYPE s2 (INPUT=s2_in, OUTPUT=s2_out, STORAGE=main, ALIGNMENT=int4, INTERNALLENGTH=variable, CATEGORY='''');
CREATE TYPE rr; CREATE FUNCTION rrc(rr) RETURNS rr LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical'; CREATE TYPE rr AS RANGE (subtype = d, canonical = rrc); CREATE FUNCTION usesmr(rr) RETURNS int LANGUAGE sql AS 'select 1'; CREATE TYPE comp_r AS (a rr, b rr[]); CREATE DOMAIN dcomp AS comp_r CHECK ((value).a IS NOT NULL);
CREATE FUNCTION nl(E int) RETURNS int LANGUAGE sql AS $a$select
 1 -- x
$a$; COMMENT ON FUNCTION nl(int) IS E'line1\nline2'; 
CREATE FUNCTION "multi
line"(a int) RETURNS int LANGUAGE sql AS 'select 1'; CREATE TYPE "ty
pe" AS ENUM ('x
y');
CREATE FUNCTION depx(int) RETURNS int LANGUAGE sql AS 'select 1'; CREATE PROCEDURE depp() LANGUAGE sql AS 'select 1'; ALTER FUNCTION depx(int) DEPENDS ON EXTENSION hstore; ALTER PROCEDURE depp() DEPENDS ON EXTENSION pg_trgm; 
GRANT USAGE ON TYPE en, rr TO PUBLIC; REVOKE ALL ON TYPE ct FROM PUBLIC, CURRENT_USER; REVOKE ALL ON FUNCTION nl(int) FROM PUBLIC, CURRENT_USER; GRANT EXECUTE ON FUNCTION nl(int) TO dump_owner WITH GRANT OPTION;
CREATE FUNCTION afterdef() RETURNS int LANGUAGE sql AS 'select 1'; CREATE TYPE afterdeft AS ENUM ('a');
CREATE FUNCTION fsf(int, en, int, VARIADIC text[]) RETURNS int LANGUAGE sql AS 'select 1'; CREATE AGGREGATE fagg(en, "a b" int, VARIADIC "c" text[]) (SFUNC=fsf, STYPE=int, INITCOND=' 5');
CREATE FUNCTION enlt(en,en) RETURNS bool LANGUAGE internal AS 'enum_lt'; CREATE OPERATOR <# (LEFTARG=en, RIGHTARG=en, PROCEDURE=enlt); CREATE FUNCTION ensm(en,en) RETURNS en LANGUAGE internal AS 'enum_smaller'; CREATE AGGREGATE mn(en) (SFUNC=ensm, STYPE=en, SORTOP= <#);
CREATE VIEW aggv AS SELECT mn('a'::en) AS m; CREATE FUNCTION aggf() RETURNS en LANGUAGE sql BEGIN ATOMIC SELECT mn('a'::en); END; --@ 14+
CREATE AGGREGATE txt(text) (SFUNC=textcat, STYPE=text, INITCOND=$$a'b\c$$);
CREATE TYPE bin; CREATE FUNCTION bin_in(cstring) RETURNS bin LANGUAGE internal IMMUTABLE STRICT AS 'int2in'; CREATE FUNCTION bin_out(bin) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int2out'; CREATE TYPE bin (INPUT=bin_in, OUTPUT=bin_out, INTERNALLENGTH=2, PASSEDBYVALUE, ALIGNMENT=int2, STORAGE=plain);
CREATE TYPE ch; CREATE FUNCTION ch_in(cstring) RETURNS ch LANGUAGE internal IMMUTABLE STRICT AS 'charin'; CREATE FUNCTION ch_out(ch) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'charout'; CREATE TYPE ch (INPUT=ch_in, OUTPUT=ch_out, INTERNALLENGTH=1, PASSEDBYVALUE, ALIGNMENT=char);
CREATE CAST (ch AS text) WITH INOUT AS IMPLICIT; CREATE DOMAIN chd AS ch; CREATE CAST (en AS ch) WITH INOUT AS ASSIGNMENT;
CREATE PROCEDURE secp(x int DEFAULT 5) SECURITY DEFINER SET work_mem TO 100 LANGUAGE plpgsql AS $$ begin null; end $$;
