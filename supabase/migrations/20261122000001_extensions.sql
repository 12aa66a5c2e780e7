-- The extensions that Switchyard stands on. Created without a version: a hosted project has its own
-- default and ignores the clause. Undo: drop extension, after everything that follows.

create schema if not exists extensions;

create extension if not exists pgmq;
create extension if not exists pg_cron;
create extension if not exists pg_net with schema extensions;
create extension if not exists supabase_vault with schema vault;
