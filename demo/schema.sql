-- The Debian archive as a database: what `apt-cache dumpavail` says of each package, and an invented log of downloads.
CREATE SCHEMA archive;
SET search_path = archive;

CREATE TYPE priority AS ENUM ('required', 'important', 'standard', 'optional', 'extra');
CREATE TYPE relation AS ENUM ('pre-depends', 'depends', 'recommends', 'suggests', 'enhances', 'breaks', 'conflicts', 'replaces');

CREATE TABLE maintainers (
    id    int PRIMARY KEY,
    name  text NOT NULL,
    email text
);

CREATE TABLE sections (
    id   smallint PRIMARY KEY,
    area text NOT NULL,
    name text NOT NULL
);

CREATE TABLE packages (
    id          int PRIMARY KEY,
    name        text NOT NULL,
    section_id  smallint NOT NULL,
    priority    priority NOT NULL,
    essential   boolean NOT NULL,
    homepage    text,
    description text NOT NULL,
    tags        text[] NOT NULL
);

CREATE TABLE versions (
    id             int PRIMARY KEY,
    package_id     int NOT NULL,
    version        text NOT NULL,
    architecture   text NOT NULL,
    source         text NOT NULL,
    maintainer_id  int NOT NULL,
    download_bytes bigint,
    installed_mib  numeric(12, 3),
    sha256         bytea,
    provides       text[],
    control        jsonb NOT NULL,
    seen_at        timestamptz NOT NULL
);

CREATE TABLE dependencies (
    version_id  int,
    relation    relation,
    place       smallint,  -- in the list
    alternative smallint,  -- a | b | c
    target      text NOT NULL,
    operator    text,
    required    text,
    PRIMARY KEY (version_id, relation, place, alternative)
);

CREATE TABLE popularity (
    package_id int PRIMARY KEY,
    installs   bigint NOT NULL,
    votes      bigint NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE downloads (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    downloaded_at timestamptz NOT NULL,
    package_id    int NOT NULL,
    country       text NOT NULL,
    bytes         bigint NOT NULL,
    seconds       numeric(10, 3) NOT NULL,
    client        jsonb,
    PRIMARY KEY (id, downloaded_at)
) PARTITION BY RANGE (downloaded_at);

CREATE TABLE downloads_2026_01 PARTITION OF downloads FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE downloads_2026_02 PARTITION OF downloads FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE downloads_2026_03 PARTITION OF downloads FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
CREATE TABLE downloads_later PARTITION OF downloads DEFAULT;
