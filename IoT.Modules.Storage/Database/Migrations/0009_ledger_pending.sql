-- What each write adds to the ledger, a row a write; folded into device_ledger every few seconds, so that a write costs one row and not
-- one for each of its devices. The ids are not worth compressing: that would cost more than writing them.
create table ledger_pending (
    device_ids  text[] not null,
    stored      int[] not null,
    duplicate   int[] not null,
    quarantined int[] not null
);
alter table ledger_pending
    alter column device_ids set storage external, alter column stored set storage external,
    alter column duplicate set storage external, alter column quarantined set storage external;

-- Told which of two answers was the later one; writes no longer answer.
alter table device_ledger drop column version;
