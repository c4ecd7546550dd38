-- Rows that DuckDB's own types cannot hold, and its sink therefore refuses unless it is asked for text: arrays of several dimensions or with
-- bounds of their own, NaN in a numeric with a scale. :base as in types_rows.sql.
SET search_path = types, public;
SET timezone = 'UTC';

INSERT INTO numbers VALUES
 (:base + 7, 10, 100000, 10000000000, 100, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 0.1, 0.1, 12345.67, NULL);

INSERT INTO own VALUES
 (:base + 3, 'glücklich', NULL, NULL, 'ü', '[0:1]={1,2}', NULL, ROW('', NULL, NULL, NULL, NULL), '{{sad,sad},{"so so",sad}}', NULL, NULL, NULL, NULL),
 (:base + 4, 'sad', NULL, NULL, NULL, NULL, NULL, ROW('s', 1, ARRAY[['a', 'b'], ['c', NULL]], NULL, 'so so'), NULL, NULL, NULL, NULL, NULL);

INSERT INTO arrays VALUES
 (:base + 3, '{{1,2},{3,4}}', '{{{1},{2}},{{3},{NULL}}}', '[5:6]={1,2}', '[0:1][-1:0]={{1,2},{3,4}}', NULL, NULL, '{{1.5,NULL}}', '{{t},{f}}', '{{a,b},{NULL,"x y"}}', NULL, NULL, NULL, NULL, NULL, NULL,
  '{{2026-01-01 00:00:00+00}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
