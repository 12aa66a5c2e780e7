-- What a hosted Supabase project has and a bare Postgres lacks: roles, their settings, the
-- extensions schema. Run once, as the superuser, in template1, so that every database created
-- later starts with it. As hosted, "postgres" is not a superuser: a migration that needs one
-- fails here too.
--
-- Single-user mode reads this file: a statement ends with a semicolon and an empty line, so no
-- empty line may stand inside one.
--
-- Left out: supautils, the roles and schemas of storage and realtime, the Data API's DDL watch
-- triggers. Newer projects load safeupdate for the Data API: never update or delete without where.

create role postgres
  login createdb createrole replication bypassrls
  password 'postgres';

create role anon nologin;

create role authenticated nologin;

create role service_role nologin bypassrls;

create role authenticator login noinherit password 'postgres';

grant anon, authenticated, service_role to authenticator;

grant anon, authenticated, service_role to postgres with admin option;

grant pg_monitor, pg_read_all_data, pg_signal_backend, pg_checkpoint to postgres;

-- https://supabase.com/docs/guides/database/postgres/timeouts: service_role inherits the
-- authenticator's.
alter role anon set statement_timeout = '3s';

alter role authenticated set statement_timeout = '8s';

alter role authenticator set statement_timeout = '8s';

alter role authenticator set lock_timeout = '8s';

alter role postgres set search_path = "$user", public, extensions;

-- The advisors ask this setting which schemas are exposed.
alter role postgres set pgrst.db_schemas = 'switchyard_api';

alter role authenticator set pgrst.db_schemas = 'switchyard_api';

grant usage on schema public to anon, authenticated, service_role;

create schema extensions authorization postgres;

grant usage on schema extensions to anon, authenticated, service_role;

create extension pgcrypto with schema extensions;

create extension "uuid-ossp" with schema extensions;

create extension pg_stat_statements with schema extensions;

create extension supabase_vault;

create publication supabase_realtime;

alter publication supabase_realtime owner to postgres;

drop database postgres;

create database postgres owner postgres;

