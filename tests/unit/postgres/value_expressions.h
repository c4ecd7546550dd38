/*
 * Expressions that test_value_server.c asks a server for, in both formats: every built-in type with a binary form, and its extremes.
 * The user-defined types are made by that test. A row that begins with a server version needs at least that one.
 */
static const struct {
    int version;
    const char *sql;
} expressions[] = {
    {0, "true"}, {0, "false"},
    {0, "0::int2"}, {0, "(-32768)::int2"}, {0, "32767::int2"},
    {0, "0::int4"}, {0, "(-2147483648)::int4"}, {0, "2147483647::int4"}, {0, "99::int4"}, {0, "100::int4"}, {0, "-7::int4"},
    {0, "(-9223372036854775808)::int8"}, {0, "9223372036854775807::int8"}, {0, "12345678901::int8"},
    {0, "4294967295::oid"}, {0, "0::oid"}, {0, "'4294967295'::xid"}, {0, "'7'::cid"}, {0, "'18446744073709551615'::xid8"},
    {0, "'9223372036854775807'::xid8"},
    {0, "'(4294967295,65535)'::tid"}, {0, "'(0,1)'::tid"},
    {0, "'1 -2 3'::int2vector"}, {0, "''::int2vector"}, {0, "'1 4294967295'::oidvector"}, {0, "''::oidvector"},
    {0, "'FFFFFFFF/FFFFFFFF'::pg_lsn"}, {0, "'0/0'::pg_lsn"}, {0, "'16/B374D848'::pg_lsn"},
    {0, "'10:20:10,14,15'::pg_snapshot"}, {0, "'10:10:'::txid_snapshot"},
    {0, "''::text"}, {0, "E'a\\tb\\nc\\\\d\"e''f'::text"}, {0, "'ünïcødé 🐘'::text"}, {0, "'x'::char(5)"}, {0, "'abc'::varchar(10)"},
    {0, "'a name'::name"}, {0, "'a'::\"char\""}, {0, "''::\"char\""}, {0, "'r'::refcursor"}, {0, "repeat('long ', 50000)"},
    {0, "'{\"a\": [1, 2.50, null]}'::json"}, {0, "'{\"b\":1,\"a\":[1, 2.50, null, \"\\u00fc\"]}'::jsonb"}, {0, "'1e400'::jsonb"}, {0, "'\"\"'::jsonb"},
    {0, "'$.a[*] ? (@ > 1)'::jsonpath"}, {0, "'strict $.\"a b\".c'::jsonpath"}, {0, "'<a b=\"c\">d</a>'::xml"},
    {0, "'<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>é</a>'::xml"},
    {0, "'\\x'::bytea"}, {0, "'\\x00ff10deadbeef'::bytea"},
    {0, "(select string_agg(set_byte('\\x00'::bytea, 0, i), ''::bytea order by i) from generate_series(0,255) i)"},
    {0, "'00000000-0000-0000-0000-000000000000'::uuid"}, {0, "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid"},
    {0, "B''::varbit"}, {0, "B'1'::bit(1)"}, {0, "B'10110011'::bit(8)"}, {0, "B'101100111'::varbit"}, {0, "repeat('10', 500)::varbit"},

    {0, "0::float8"}, {0, "'-0'::float8"}, {0, "1.5::float8"}, {0, "0.1::float8"}, {0, "1e20::float8"}, {0, "1e15::float8"}, {0, "1e14::float8"},
    {0, "123456789012345678::float8"}, {0, "999999999999999::float8"}, {0, "1e-4::float8"}, {0, "1e-5::float8"}, {0, "1.25e-5::float8"}, {0, "1e23::float8"},
    {0, "9007199254740993::float8"}, {0, "5e-324::float8"}, {0, "2.2250738585072014e-308::float8"}, {0, "2.225073858507201e-308::float8"},
    {0, "1.7976931348623157e308::float8"}, {0, "'Infinity'::float8"}, {0, "'-Infinity'::float8"}, {0, "'NaN'::float8"}, {0, "pi()"}, {0, "1.0/3::float8"},
    {0, "5.684341886080801e-14::float8"}, {0, "9.5367431640625e-07::float8"}, {0, "8.41e21::float8"}, {0, "2e100::float8"}, {0, "-1.5e-100::float8"},
    {0, "0::float4"}, {0, "'-0'::float4"}, {0, "0.1::float4"}, {0, "1e6::float4"}, {0, "999999::float4"}, {0, "123456::float4"}, {0, "1234567::float4"}, {0, "1e-4::float4"},
    {0, "1e-5::float4"}, {0, "16777216::float4"}, {0, "33554432::float4"}, {0, "3.4028235e38::float4"}, {0, "1e-45::float4"}, {0, "1.1754944e-38::float4"},
    {0, "'Infinity'::float4"}, {0, "'-Infinity'::float4"}, {0, "'NaN'::float4"}, {0, "8589973000::float4"}, {0, "1.1754942e-38::float4"},

    {0, "0::numeric"}, {0, "0.00::numeric"}, {0, "1::numeric"}, {0, "-1::numeric"}, {0, "10000::numeric"}, {0, "9999.9999::numeric"}, {0, "0.0001::numeric"}, {0, "0.00001::numeric"},
    {0, "-0.00000000123456789::numeric"}, {0, "123456789012345678901234567890.123456789::numeric"}, {0, "1e100::numeric"}, {0, "1e-100::numeric"}, {0, "'1e1000'::numeric"},
    {0, "'1e-1000'::numeric"}, {0, "'NaN'::numeric"}, {140000, "'Infinity'::numeric"}, {140000, "'-Infinity'::numeric"}, {0, "100.10::numeric(10,2)"}, {0, "1.0000000000::numeric"},
    {0, "repeat('9', 1000)::numeric"}, {0, "(repeat('12345', 2000) || '.' || repeat('67890', 2000))::numeric"}, {0, "'1e131071'::numeric"}, {0, "1000000000000::numeric"},
    {150000, "12345::numeric(3,-2)"}, {0, "99999999999999999999999999999999999999::numeric"}, {0, "-99999999999999999999999999999999999999::numeric"},
    {0, "100000000000000000000000000000000000000::numeric"}, {0, "0.00000000000000000000000000000000000001::numeric"}, {0, "1234.5678::numeric"},

    {0, "'2000-01-01'::date"}, {0, "'1999-12-31'::date"}, {0, "'2024-02-29'::date"}, {0, "'0001-01-01'::date"}, {0, "'0001-12-31 BC'::date"}, {0, "'4713-01-01 BC'::date"},
    {0, "'4714-11-24 BC'::date"}, {0, "'5874897-12-31'::date"}, {0, "'10000-01-01'::date"}, {0, "'infinity'::date"}, {0, "'-infinity'::date"}, {0, "'1900-02-28'::date"}, {0, "'1600-02-29'::date"},
    {0, "'00:00'::time"}, {0, "'24:00:00'::time"}, {0, "'23:59:59.999999'::time"}, {0, "'12:34:56.7'::time"}, {0, "'00:00:00.000001'::time"},
    {0, "'00:00+00'::timetz"}, {0, "'24:00:00-15:59:59'::timetz"}, {0, "'12:34:56.789+05:30'::timetz"}, {0, "'01:02:03+00:19:32'::timetz"}, {0, "'01:02:03-08'::timetz"}, {0, "'01:02:03-00:30'::timetz"},
    {0, "'2000-01-01 00:00'::timestamp"}, {0, "'1999-12-31 23:59:59.999999'::timestamp"}, {0, "'2024-02-29 12:00:00.5'::timestamp"}, {0, "'4714-11-24 00:00:00 BC'::timestamp"},
    {0, "'0044-03-15 12:00:00.25 BC'::timestamp"}, {0, "'294276-12-31 23:59:59.999999'::timestamp"}, {0, "'infinity'::timestamp"}, {0, "'-infinity'::timestamp"},
    {0, "'1970-01-01 00:00:00+00'::timestamptz"}, {0, "'2024-07-01 12:00:00.123456+02'::timestamptz"}, {0, "'0044-03-15 12:00:00+00 BC'::timestamptz"}, {0, "'infinity'::timestamptz"},
    {0, "'-infinity'::timestamptz"}, {0, "'294276-12-31 23:59:59.999999+00'::timestamptz"},
    {0, "'0'::interval"}, {0, "'1 year'::interval"}, {0, "'-1 year'::interval"}, {0, "'2 years 3 mons'::interval"}, {0, "'1 day'::interval"}, {0, "'-3 days'::interval"}, {0, "'1 year -2 mons'::interval"},
    {0, "'-1 year 2 mons 3 days 04:05:06.7'::interval"}, {0, "'1 mon -1 day 00:00:01'::interval"}, {0, "'-00:00:00.000001'::interval"}, {0, "'1 day -00:00:01'::interval"}, {0, "'100:00:00'::interval"},
    {0, "'-1 mons +2 days -03:04:05.678901'::interval"}, {0, "'178000000 years'::interval"}, {0, "'2147483647 days'::interval"}, {0, "'-2147483648 days'::interval"}, {0, "'2147483647 hours'::interval"},
    {0, "'9223372036854775807 us'::interval"}, {0, "'-9223372036854775808 us'::interval"}, {0, "'11 mons'::interval"}, {0, "'-11 mons'::interval"}, {170000, "'infinity'::interval"}, {170000, "'-infinity'::interval"},

    {0, "'08:00:2b:01:02:03'::macaddr"}, {0, "'08:00:2b:01:02:03:04:05'::macaddr8"}, {0, "'192.168.0.1'::inet"}, {0, "'192.168.0.1/24'::inet"}, {0, "'0.0.0.0/0'::inet"}, {0, "'10.0.0.0/8'::cidr"},
    {0, "'10.1.2.3/32'::cidr"}, {0, "'::'::inet"}, {0, "'::1'::inet"}, {0, "'::2'::inet"}, {0, "'::1.2.3.4'::inet"}, {0, "'::ffff:1.2.3.4'::inet"}, {0, "'::ffff:0:0'::inet"}, {0, "'2001:db8::1/64'::inet"},
    {0, "'1:0:0:2:0:0:0:3'::inet"}, {0, "'1:0:2:3:4:5:6:7'::inet"}, {0, "'1:2:3:4:5:6:0:0'::inet"}, {0, "'0:0:1::'::inet"}, {0, "'fe80::/10'::cidr"}, {0, "'::/0'::cidr"}, {0, "'1:2:3:4:5:6:7:8'::inet"},
    {0, "'::1:2'::inet"}, {0, "'::ffff:0:1.2.3.4'::inet"}, {0, "'0:0:0:0:1:0:0:0'::inet"}, {0, "'::8000/128'::cidr"},

    {0, "'(1.5,-2)'::point"}, {0, "'(Infinity,NaN)'::point"}, {0, "'[(1,2),(3,4)]'::lseg"}, {0, "'((1,2),(3,4),(5,6))'::path"}, {0, "'[(1,2),(3,4)]'::path"}, {0, "'(1,2),(3,4)'::box"}, {0, "'((0,0),(1,1),(2,0))'::polygon"},
    {0, "'{1,-1,0.5}'::line"}, {0, "'<(1,2),3>'::circle"},

    {0, "''::tsvector"}, {0, "'a fat cat'::tsvector"}, {0, "'a:1A,2B,3C,4 b:16383'::tsvector"}, {0, "$$'it''s' 'back\\\\slash' 'with space'$$::tsvector"},
    {0, "''::tsquery"}, {0, "'a'::tsquery"}, {0, "'a & b | !c'::tsquery"}, {0, "'(a | b) & c:*AB'::tsquery"}, {0, "'a <-> b'::tsquery"}, {0, "'a <3> (b <-> c)'::tsquery"}, {0, "'!(a | b) & !!c'::tsquery"},
    {0, "'(a <-> b) <-> c & d | e & (f | g)'::tsquery"}, {0, "$$'it''s':D & 'a\\\\b'$$::tsquery"}, {0, "'!(a <-> b) | !a <-> b'::tsquery"},
    {0, "array_to_string(array(select 'w' || i from generate_series(1, 3000) i), '|')::tsquery"},

    {0, "'{}'::int4[]"}, {0, "'{1,NULL,-3}'::int4[]"}, {0, "'{{1,2},{3,4},{5,6}}'::int8[]"}, {0, "'[0:2]={1,2,3}'::int4[]"}, {0, "'[-1:0][2:3]={{1,2},{3,4}}'::int4[]"}, {0, "'{{{{{{1}}}}}}'::int4[]"},
    {0, "ARRAY['', 'null', 'NULL', 'a b', 'a,b', '{x}', '\"q\"', E'back\\\\slash', E'tab\\t', 'plain', NULL]::text[]"}, {0, "ARRAY[E'\\v', E'\\f', E'\\r', E'\\n', 'a\"b\\c']"},
    {0, "'{t,f,NULL}'::bool[]"}, {0, "'{1.50,NaN}'::numeric[]"}, {0, "'{2000-01-01,infinity}'::date[]"}, {0, "'{2000-01-01 12:00:00}'::timestamptz[]"}, {0, "'{\"\\\\x00ff\"}'::bytea[]"}, {0, "'{1 day}'::interval[]"},
    {0, "'{(1,2),(3,4);(5,6),(7,8)}'::box[]"}, {0, "'{\"(1,2)\"}'::point[]"}, {0, "'{\"[1,3)\",empty}'::int4range[]"}, {0, "ARRAY['{\"a\": 1}']::jsonb[]"}, {0, "ARRAY[1.5,'NaN','-Infinity']::float8[]"},
    {0, "ARRAY[ARRAY['a,', NULL], ARRAY['', 'd']]"}, {0, "'{a,\"b c\"}'::name[]"}, {0, "'{::1,10.0.0.0/8}'::inet[]"}, {0, "'{1,2}'::oid[]"},

    {0, "'empty'::int4range"}, {0, "'[1,5)'::int4range"}, {0, "'(,)'::int4range"}, {0, "'(,7)'::int8range"}, {0, "'[1.5,)'::numrange"}, {0, "'(1.50,2.50]'::numrange"}, {0, "'[2000-01-01,infinity)'::daterange"}, {0, "'[2000-01-01,)'::daterange"},
    {0, "'[2000-01-01 12:00:00,2000-01-02)'::tsrange"}, {0, "'[2000-01-01 12:00:00+00,infinity]'::tstzrange"}, {140000, "'{}'::int4multirange"}, {140000, "'{[1,3),[5,9)}'::int4multirange"},
    {140000, "'{[2000-01-01 12:00:00,2000-01-02),(2001-01-01,)}'::tsmultirange"}, {140000, "'{(,)}'::nummultirange"}, {140000, "ARRAY['{[1,3),[5,9)}'::int4multirange]"},

    /* made by the test */
    {0, "'happy'::pgc_value_test.mood"}, {0, "'so, \"so\"'::pgc_value_test.mood"}, {0, "ARRAY['happy', 'so, \"so\"']::pgc_value_test.mood[]"}, {0, "7::pgc_value_test.positive"}, {0, "7::pgc_value_test.very_positive"},
    {0, "ARRAY[7, 8]::pgc_value_test.positive[]"}, {0, "ARRAY[7, 8]::pgc_value_test.positives"}, {0, "ROW(1, 'a')::pgc_value_test.pair"}, {0, "ROW(NULL, NULL)::pgc_value_test.pair"}, {0, "ROW(1, '')::pgc_value_test.pair"},
    {0, "ROW(-1, E'a \"b\" (c), d\\\\e\\n')::pgc_value_test.pair"}, {0, "ROW(ROW(1, 'x y')::pgc_value_test.pair, ARRAY[1,2], ARRAY[ROW(2, 'a,b')::pgc_value_test.pair, NULL], 'happy')::pgc_value_test.nested"},
    {0, "ARRAY[ROW(ROW(1, 'x y')::pgc_value_test.pair, NULL, ARRAY[ROW(2, '\"')::pgc_value_test.pair], NULL)::pgc_value_test.nested]"}, {0, "ROW()::pgc_value_test.nothing"}, {0, "ROW(NULL)::pgc_value_test.single"}, {0, "ROW('')::pgc_value_test.single"},
    {0, "'[a,\"b c\")'::pgc_value_test.textrange"}, {0, "'[\"\",\"]\")'::pgc_value_test.textrange"}, {0, "'[\"\\\"\",\"\\\\\\\\\"]'::pgc_value_test.textrange"}, {140000, "'{[a,\"b c\"),[x,y]}'::pgc_value_test.textmultirange"},
    {0, "'[1.5,2.5]'::pgc_value_test.floatrange"},
};

/* Only where the extension is there. */
static const char *const extension_expressions[] = {
    "''::hstore", "'a=>1,b=>NULL'::hstore", "hstore(ARRAY['a \"b\"', E'c\\\\d', ''], ARRAY['', '=> ,', 'NULL'])", "ARRAY['a=>1, b=>\"x y\"'::hstore]",
    "'MiXed, \"x\"'::citext", "ARRAY['MiXed, \"x\"'::citext]", "'a.b.c'::ltree", "''::ltree", "'a.*{2}.b'::lquery", "'a & b'::ltxtquery",
    "'[1,2.5,-3e10]'::vector", "'[0.1]'::vector", "ARRAY['[1,2]'::vector]", "'[1,0.1,65504,-0,6e-8]'::halfvec", "'{1:1.5,3:2}/5'::sparsevec", "'{}/5'::sparsevec",
};
