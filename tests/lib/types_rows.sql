-- The extremes of every type. :base keeps the keys of several rounds apart.
SET search_path = types, public;
SET timezone = 'UTC';

INSERT INTO numbers (id) VALUES (:base);
INSERT INTO numbers VALUES
 (:base + 1, -32768, -2147483648, -9223372036854775808, 'NaN', -99999999.99, -999999999.999999999, -9999999999999999999999999999.9999999999,
  -999999999999999999999999999999.99999999999999999999, -9999900, -0.00999, '-Infinity', '-Infinity', '-92233720368547758.08', false),
 (:base + 2, 32767, 2147483647, 9223372036854775807, 'Infinity', 99999999.99, 999999999.999999999, 9999999999999999999999999999.9999999999,
  999999999999999999999999999999.99999999999999999999, 9999900, 0.00999, 'Infinity', 'Infinity', '92233720368547758.07', true),
 (:base + 3, 0, 0, 0, '-Infinity', 0, 0, 0, 0, 0, 0, 'NaN', 'NaN', 0, false),
 (:base + 4, 1, 1, 1, 0.00000000000000000000000000000000000001, 0.01, 0.000000001, 0.0000000001, 0.00000000000000000001, 100, 0.00001, 1e-45, 5e-324, 0.01, true),
 (:base + 5, -1, -1, -1, 1e131071, -0.01, -0.000000001, -0.0000000001, -0.00000000000000000001, -100, -0.00001, 3.4028235e38, 1.7976931348623157e308, -0.01, true),
 (:base + 6, 10, 100000, 10000000000, ('9' || repeat('0123456789', 100) || '.' || repeat('9876543210', 100))::numeric, 10, 10, 10, 10, 12300, 0.001,
  -0.0, -0.0, 1, false),
 (:base + 8, NULL, NULL, NULL, 1.50, 1.5, 1.5, 1.5, 1.5, NULL, NULL, 1.17549435e-38, 123456789.123456789, NULL, NULL),
 (:base + 9, NULL, NULL, NULL, 100000, 1.10, 1.10, 10000.0001, 100000000.00000001, NULL, NULL, 16777216, 9007199254740993, NULL, NULL);

INSERT INTO texts (id) VALUES (:base);
INSERT INTO texts VALUES
 (:base + 1, '', '', '', '', '', '', '', '', '', B'00000', B'0', B'', '00000000-0000-0000-0000-000000000000', '<a/>', 'null', '{}', '$', '', '', ''),
 (:base + 2, E'tab\tnewline\nreturn\rbackslash\\quote"apostrophe''bell\x07\b\f\v\x01\x7f', E'\\N', 'ten letter', 'five!', 'x', 'x', repeat('n', 63),
  'CaSe', (SELECT string_agg(set_byte('\x00', 0, i), '' ORDER BY i) FROM generate_series(0, 255) AS i), B'10101', B'1',
  (repeat('10', 500))::bit varying, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '<a b="c">x &amp; y</a>',
  '{"b": [1, 2.50, 1e400, -0, true, null, "x\u00e9\n"],   "a": {"b": {}},"a": 1}', '{"b": [1, 2.50, true, null, "xé\n\u0001"], "a": {"b": {}}, "n": 12345678901234567890.123}',
  '$.a[*] ? (@.b > 1 && @.c like_regex "x.*" flag "i")', to_tsvector('english', 'The quick brown fox''s jump: over'), to_tsquery('english', 'quick & (brown | !fox:*)'),
  'a=>1, "b c"=>NULL, "q\"uote"=>"x=>y", ü=>""'),
 (:base + 3, 'ünïcödé 🚚🐘 漢字 ' || chr(1114111) || chr(65533), 'é', repeat('🐘', 10), '🐘🐘', 'ß', '~', 'näme', 'ÄÖÜ', '\x00', B'11111', NULL, B'1',
  'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '<?xml version="1.0"?><a>ü</a>', '[]', '[]', 'strict $."a b"[last]', 'a:1A,2B b:3', '''a b'' <-> c', 'a=>"multi
line"'),
 (:base + 4, repeat('0123456789', 30000), repeat('ü', 5000), ' lead', ' a', ' ', ' ', ' n', ' trail ', decode(repeat('00ff', 50000), 'hex'), B'01010', B'1', NULL, NULL,
  NULL, '"text"', '"text"', '$', NULL, NULL, NULL),
 (:base + 5, 'NULL', 'null', '\N', 'NULL', '"', '\', '{}', '{"a"}', '\x5c4e', NULL, NULL, NULL, NULL, NULL, '123', '123.4500', NULL, NULL, NULL, NULL),
 (:base + 6, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 10000) AS i), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  (SELECT json_agg(md5(i::text)) FROM generate_series(1, 1000) AS i), (SELECT jsonb_object_agg(i::text, md5(i::text)) FROM generate_series(1, 1000) AS i), NULL, NULL, NULL, NULL);

INSERT INTO times (id) VALUES (:base);
INSERT INTO times VALUES
 (:base + 1, 'infinity', '00:00:00', '00:00:00', '00:00:00+15:59:59', 'infinity', 'infinity', 'infinity', 'infinity', '0', '0', '0'),
 (:base + 2, '-infinity', '24:00:00', '24:00:00', '24:00:00-15:59:59', '-infinity', '-infinity', '-infinity', '-infinity', '-178000000 years -11 mons', '-178000000 years', '-3 days'),
 (:base + 3, '4713-01-01 BC', '23:59:59.999999', '23:59:59', '23:59:59.999999+05:30', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '0044-03-15 12:00:00+00 BC',
  '178000000 years 11 mons', '178000000 years 11 mons', '3 days'),
 (:base + 4, '5874897-12-31', '12:34:56.789', '12:34:57', '12:34:56.789-03', '290000-12-31 23:59:59.999999', '290000-12-31 23:59:59.999', '290000-12-31 23:59:59.999999+00',
  '9999-12-31 23:59:59+00', '1 year 2 mons 3 days 04:05:06.789', '1 year 2 mons', '1 day 04:05:06'),
 (:base + 5, '0001-01-01', '00:00:00.000001', '00:00:01', '00:00:00.000001+00:01:01', '0001-01-01 00:00:00', '0001-01-01 00:00:00', '0001-01-01 00:00:00+00', '0001-12-31 00:00:00+00 BC',
  '-1 year +2 mons -3 days +04:05:06.789', '-1 mon', '-04:05:06'),
 (:base + 6, '1970-01-01', '12:00:00', '12:00:00', '12:00:00+00', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00', '1969-12-31 23:59:59.999999+00', '2026-02-28 12:00:00+14',
  '2562047788:00:54.775807', '0', '1 mon -1 days'),
 (:base + 7, '2000-02-29', '12:00:00', '12:00:00', '12:00:00+00', '1999-12-31 23:59:59.999999', '2000-01-01 00:00:00', '1999-12-31 23:59:59.999999+00', '2000-01-01 00:00:00+00',
  '-2562047788:00:54.775807', '0', '2147483647 days');

INSERT INTO networks (id) VALUES (:base);
INSERT INTO networks VALUES
 (:base + 1, '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00'),
 (:base + 2, '255.255.255.255', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff'), (:base + 3, '192.168.1.5/24', '192.168.1.5/32', '08:00:2b:01:02:03', '08:00:2b:ff:fe:01:02:03'),
 (:base + 4, '::', '::/0', NULL, NULL), (:base + 5, '2001:db8::ffff:1.2.3.4/64', '2001:db8::/32', NULL, NULL), (:base + 6, '::ffff:1.2.3.4', 'ffff::/128', NULL, NULL);

INSERT INTO shapes (id) VALUES (:base);
INSERT INTO shapes VALUES
 (:base + 1, '(0,0)', '{1,0,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '((0,0))', '((0,0))', '<(0,0),0>'),
 (:base + 2, '(Infinity,-Infinity)', '{1.5,-2.25,1e300}', '[(1e-300,2),(3,4.000000000000001)]', '(1,1),(-1,-1)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1.1,2.2),3.3>'),
 (:base + 3, '(NaN,0.1)', NULL, NULL, '(Infinity,Infinity),(-Infinity,-Infinity)', '((0,0),(1,1),(2,0))', NULL, '<(0,0),Infinity>');

INSERT INTO systems (id) VALUES (:base);
INSERT INTO systems VALUES
 (:base + 1, 0, 'pg_class', 'integer', 'now', 'abs(integer)', '!~~(text,text)', 'postgres', 'pg_catalog', 'english', 'simple', '"C"', '0/0', '0', '0', '0', '(0,0)', '1:1:', '1:1:'),
 (:base + 2, 4294967295, 'pg_catalog.pg_type', 'timestamp with time zone[]', 'pg_catalog.version', 'pg_catalog.substr(text, integer, integer)', NULL, NULL, NULL, NULL, NULL, NULL,
  'FFFFFFFF/FFFFFFFF', '4294967295', '18446744073709551615', '4294967295', '(4294967295,65535)', '10:20:10,14,15', '10:20:10,14,15');

INSERT INTO own (id) VALUES (:base);
INSERT INTO own VALUES
 (:base + 1, 'sad', 1, 1, '', '{}', '(,,)', '(,,,,)', '{}', '{}', '{}', '{}', '{}'),
 (:base + 2, 'quote''d "label"', 2147483647, 2147483647, 'ten letter', '{1,NULL,-1}', '(NaN,-Infinity,0.1)',
  ROW('a "b", (c)\ d', -1, ARRAY['x', NULL, '', 'a,b', '"', '\', 'NULL'], ROW(1, 2, 3), 'glücklich'), '{sad,NULL,"quote''d \"label\""}',
  ARRAY[ROW(1, 2, 3), NULL, ROW(NULL, NULL, NULL)]::point3[], ARRAY[ROW('s', 1, ARRAY['a', 'b'], NULL, 'so so'), NULL]::address[], '{1,2,NULL}', ARRAY['{1,2}', NULL, '{}']::int_list[]);

INSERT INTO ranges (id) VALUES (:base);
INSERT INTO ranges VALUES
 (:base + 1, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
 (:base + 2, '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '{empty,"(,)",NULL}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{"{(,)}",NULL}'),
 (:base + 3, '[1,10)', '[-9223372036854775808,9223372036854775807)', '(1.5,2.5]', '[2026-01-01 00:00,2026-01-02 00:00)', '[2026-01-01 00:00+00,infinity)', '[2026-01-01,2026-02-01)',
  '[-Infinity,NaN]', '["a ""b"", (c)","d\\e"]', '{"[1,2)"}', '{[1,3),[5,7)}', '{[1,3),[5,7)}', '{[1.5,2],(3,4)}', '{[2026-01-01,2026-01-02)}', '{["2026-01-01 00:00+00",)}',
  '{[2026-01-01,2026-01-05),[2026-02-01,)}', '{[0.5,1.5]}', '{"{[2026-01-01,2026-01-05)}"}'),
 (:base + 4, '[5,)', '(,5)', '[NaN,NaN]', '[-infinity,infinity]', '(-infinity,infinity)', '[-infinity,infinity)', '[1,1]', '[,z)', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO arrays (id) VALUES (:base);
INSERT INTO arrays VALUES
 (:base + 1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
 (:base + 2, '{1,NULL,-32768}', '{1,NULL,-2147483648}', '{1,NULL,-9223372036854775808}', '{1.50,NULL,NaN,Infinity,1e50}', '{1.5,NULL,-99999999.99}', '{0.1,NULL,NaN,-Infinity}', '{0.1,NULL,NaN,1e300}',
  '{t,NULL,f}', ARRAY['', NULL, 'NULL', 'null', 'a,b', '{}', '"', '\', E'\n', ' lead', 'ü🐘'], '{abc,NULL,""}', '{abc,NULL,a}', ARRAY['\x00ff'::bytea, NULL, ''], '{infinity,NULL,0044-03-15 BC,2026-01-01}',
  '{24:00:00,NULL,00:00:00.000001}', '{infinity,NULL,2026-01-01 12:00:00.5}', '{-infinity,NULL,2026-01-01 12:00:00+00}', '{1 year 2 mons -3 days,NULL,-00:00:00.000001}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}',
  ARRAY['{"a": [1, "x"]}'::json, NULL, 'null'], ARRAY['{"a": [1, "x"]}'::jsonb, NULL, 'null', '"s"'], '{10.0.0.1/8,NULL,::1}', '{101,NULL}', '{"(1,2)",NULL}', '{(1,1),(0,0);(2,2),(1,1)}',
  ARRAY['a=>1'::hstore, NULL], '{"[1,5)",empty,NULL}');

INSERT INTO zero SELECT FROM generate_series(1, 3);
INSERT INTO "Strange ""Table"".ü" VALUES (:base, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i');
INSERT INTO "Strange ""Table"".ü" VALUES (:base + 1);
INSERT INTO "Other.Schema ""x"""."TABLE" VALUES (:base, 'x');
INSERT INTO wide (c1, c2, c800, c1600) VALUES (:base, 2, 800, 1600), (:base + 1, NULL, -1, NULL);
