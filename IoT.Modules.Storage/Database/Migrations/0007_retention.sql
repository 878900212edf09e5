-- What was done to partitions, for people to look at.
create table storage_events (
    id         bigserial primary key,
    at         timestamptz not null default now(),
    kind       text not null,
    table_name text not null,
    partition  text not null,
    range_from timestamptz not null,
    range_to   timestamptz not null,
    rows       bigint not null,
    bytes      bigint not null,
    cause      text not null check (cause in ('age', 'budget')),
    reason     text not null
);

-- Partitions on their way out: written before the first step, deleted with the last, so that whoever finds one goes on with it.
create table partition_removals (
    partition  text primary key,
    table_name text not null,
    range_from timestamptz not null,
    range_to   timestamptz not null,
    rows       bigint not null,
    bytes      bigint not null,
    cause      text not null check (cause in ('age', 'budget')),
    reason     text not null,
    started_at timestamptz not null default now()
);
