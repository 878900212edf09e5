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
