-- Readings summed up: a row for each device, data_type, member of the payload and bucket. The member '' counts the readings themselves
-- and stands in the hourly table only.
create table device_summary_5m (
    device_id uuid not null,
    data_type text collate "C" not null,
    metric    text collate "C" not null,
    bucket    timestamptz not null,
    count     bigint not null,
    sum       double precision not null,
    min       double precision not null,
    max       double precision not null,
    first     double precision not null,
    first_at  timestamptz not null,
    last      double precision not null,
    last_at   timestamptz not null,
    primary key (device_id, data_type, metric, bucket)
) partition by range (bucket);

create table device_summary_hour (like device_summary_5m, primary key (device_id, data_type, metric, bucket)) partition by range (bucket);

-- What each batch of readings adds, written in its transaction, packed; folded into the tables above now and then. A value that stands
-- alone in its bucket is a single. Devices are spread over 16 slots by the last four bits of their first byte; -1: all of them.
create table summary_pending (
    id            bigserial primary key,
    slot          smallint not null,
    data_types    text[] not null,
    metrics       text[] not null,
    single_device uuid[] not null,
    single_kind   int[] not null,
    single_at     timestamptz[] not null,
    single_value  double precision[] not null,
    device        uuid[] not null,
    kind          int[] not null,
    bucket        timestamptz[] not null,
    count         bigint[] not null,
    sum           double precision[] not null,
    min           double precision[] not null,
    max           double precision[] not null,
    first         double precision[] not null,
    first_at      timestamptz[] not null,
    last          double precision[] not null,
    last_at       timestamptz[] not null
);
-- Compressing what lives for seconds costs more than it saves.
alter table summary_pending
    alter single_device set storage external, alter single_kind set storage external, alter single_at set storage external, alter single_value set storage external,
    alter device set storage external, alter kind set storage external, alter bucket set storage external, alter count set storage external,
    alter sum set storage external, alter min set storage external, alter max set storage external, alter first set storage external,
    alter first_at set storage external, alter last set storage external, alter last_at set storage external;

-- The same as rows.
create view device_summary_pending as
select p.id as seq, p.slot, e.device_id, p.data_types[e.kind] collate "C" as data_type, p.metrics[e.kind] collate "C" as metric, e.bucket,
    e.count, e.sum, e.min, e.max, e.first, e.first_at, e.last, e.last_at
from summary_pending p
cross join lateral (
    select device_id, kind, date_bin('5 minutes', at, '2000-01-01 00:00:00+00') as bucket,
        1::bigint as count, value as sum, value as min, value as max, value as first, at as first_at, value as last, at as last_at
    from unnest(p.single_device, p.single_kind, p.single_at, p.single_value) as s (device_id, kind, at, value)
    union all
    select * from unnest(p.device, p.kind, p.bucket, p.count, p.sum, p.min, p.max, p.first, p.first_at, p.last, p.last_at)
        as g (device_id, kind, bucket, count, sum, min, max, first, first_at, last, last_at)
) e;

-- Per hour and data_type: how many readings, and what their member "value" did. Up to the last committed batch.
create view device_summary_hourly as
select device_id, hour, data_type,
    coalesce(sum(count) filter (where metric = ''), 0)::bigint as message_count,
    sum(sum) filter (where metric = 'value') / sum(count) filter (where metric = 'value') as avg_value,
    max(max) filter (where metric = 'value') as max_value,
    min(min) filter (where metric = 'value') as min_value
from (
    select device_id, bucket as hour, data_type, metric, count, sum, min, max from device_summary_hour where metric in ('', 'value')
    union all
    select device_id, date_bin('1 hour', bucket, '2000-01-01 00:00:00+00'), data_type, metric, count, sum, min, max
    from device_summary_pending where metric in ('', 'value')
) s
group by device_id, hour, data_type;

-- Whether there are readings that the summaries don't have: stored before there were any, or while they were off.
create table summary_state (
    one           boolean primary key default true check (one),
    needs_rebuild boolean not null
);
insert into summary_state (needs_rebuild) select exists (select 1 from device_data);
