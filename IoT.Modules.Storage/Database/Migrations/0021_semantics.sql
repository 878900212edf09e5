-- Models and rules by name. Contents are gzip, in parts, and stay as versions after a document was replaced or taken out.
create table semantic_versions (
    id          bigserial primary key,
    kind        text not null check (kind in ('model', 'rules')),
    name        text collate "C" not null,
    version     int not null,
    created_at  timestamptz not null default now(),
    created_by  text not null,
    bytes       bigint not null,
    sha256      bytea not null,
    unique (kind, name, version)
);

create table semantic_parts (
    version_id bigint not null references semantic_versions on delete cascade,
    part       int not null,
    gzip       bytea not null,
    primary key (version_id, part)
);
alter table semantic_parts alter gzip set storage external;

-- The versions that hold.
create table semantic_documents (
    kind       text not null,
    name       text collate "C" not null,
    version_id bigint not null references semantic_versions,
    primary key (kind, name)
);

-- What was inferred, and until when; cleared_at is null while it holds. because is the explanation as JSON: of one that holds, as it was
-- when it was raised.
create table inferences (
    id          uuid primary key,
    subject     text collate "C" not null,
    predicate   text collate "C" not null,
    object      text collate "C" not null,
    rule        text collate "C" not null,
    confidence  double precision not null,
    because     text,
    raised_at   timestamptz not null,
    cleared_at  timestamptz
);
create index inferences_time on inferences (raised_at desc, id desc);
create index inferences_active on inferences (raised_at desc, id desc) where cleared_at is null;
create index inferences_subject on inferences using hash (subject);
create index inferences_rule on inferences using hash (rule);
create index inferences_cleared on inferences (cleared_at) where cleared_at is not null;
