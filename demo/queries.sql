-- Each query is plain SQL that PostgreSQL and DuckDB both understand, with an order that leaves nothing to chance.

-- What takes the most room, by section
SELECT s.area, s.name, count(*) AS packages, CAST(round(sum(v.installed_mib)) AS bigint) AS mib
FROM archive.versions v JOIN archive.packages p ON p.id = v.package_id JOIN archive.sections s ON s.id = p.section_id
GROUP BY s.area, s.name ORDER BY sum(v.installed_mib) DESC, s.area, s.name LIMIT 5;

-- The packages that most others need
SELECT d.target, count(DISTINCT d.version_id) AS needed_by
FROM archive.dependencies d WHERE d.relation IN ('depends', 'pre-depends')
GROUP BY d.target ORDER BY needed_by DESC, d.target LIMIT 5;

-- Downloads and their volume, by month
SELECT CAST(date_trunc('month', downloaded_at) AS date) AS month, count(*) AS downloads, CAST(sum(bytes) / 1000000000 AS bigint) AS gigabytes,
       CAST(round(sum(seconds)) AS bigint) AS seconds
FROM archive.downloads GROUP BY date_trunc('month', downloaded_at) ORDER BY month;

-- Tags by facet, out of the arrays
SELECT split_part(t.tag, '::', 1) AS facet, count(*) AS uses, count(DISTINCT p.id) AS packages
FROM archive.packages p, unnest(p.tags) AS t(tag)
GROUP BY split_part(t.tag, '::', 1) ORDER BY uses DESC, facet LIMIT 5;

-- Multi-Arch, out of the JSON
SELECT v.control ->> 'Multi-Arch' AS multi_arch, count(*) AS versions, sum(v.download_bytes) AS bytes
FROM archive.versions v GROUP BY v.control ->> 'Multi-Arch' ORDER BY versions DESC, multi_arch LIMIT 5;

-- Whose packages are downloaded most in each country
SELECT country, name, downloads FROM (
    SELECT d.country, m.name, count(*) AS downloads,
           row_number() OVER (PARTITION BY d.country ORDER BY count(*) DESC, m.name) AS place
    FROM archive.downloads d JOIN archive.versions v ON v.package_id = d.package_id
    JOIN archive.maintainers m ON m.id = v.maintainer_id GROUP BY d.country, m.name) AS ranked
WHERE place = 1 ORDER BY downloads DESC, country LIMIT 5;
