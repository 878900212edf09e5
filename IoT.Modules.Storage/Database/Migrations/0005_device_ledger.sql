-- What came of everything that a device sent. The row '' is for those who are no device of ours. stored, duplicate and quarantined are
-- counted in the transaction of the rows; answered (duplicates known in memory) and rejected are written now and then. version says
-- which of two answers about the former three is the later one.
-- reads device_data
create table device_ledger (
    device_id   text collate "C" primary key,
    stored      bigint not null default 0,
    duplicate   bigint not null default 0,
    quarantined bigint not null default 0,
    version     bigint not null default 0,
    answered    bigint not null default 0,
    rejected    bigint not null default 0
) with (fillfactor = 70);

insert into device_ledger (device_id, stored, quarantined)
select coalesce(r.device_id, q.device_id), coalesce(r.count, 0), coalesce(q.count, 0)
from (select d.external_id as device_id, count(*) from device_data join devices d on d.id = device_data.device_id group by 1) r
full join (select device_id, count(*) from quarantine group by 1) q on q.device_id = r.device_id;
