-- Of the lane's last batch, the places (from 0) of readings that were not stored: duplicates, and as -1 - place those in the quarantine.
-- A writer that did not learn of its commit knows from this what was stored.
alter table ingest_checkpoint add column left_out int[];
