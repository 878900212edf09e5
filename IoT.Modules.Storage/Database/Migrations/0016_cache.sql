-- The cache's third level. Unlogged: it costs no WAL, and a crash empties both tables, values and generations together, which is what the
-- cache relies on. A generation says how often what hashes to a slot was invalidated; a value counts only under the sum that it was
-- computed under.
create unlogged table cache_entries (
    key text primary key,
    stamp bigint not null,
    value bytea not null,
    bytes int not null generated always as (octet_length(value) + octet_length(key) + 100) stored,
    expires_at timestamptz not null
);

create index cache_entries_expiry on cache_entries (expires_at);

create unlogged table cache_generations (
    slot int primary key,
    generation bigint not null
) with (fillfactor = 50);
