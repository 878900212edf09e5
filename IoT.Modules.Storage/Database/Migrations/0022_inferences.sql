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
