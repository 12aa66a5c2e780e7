-- Two schemas: switchyard holds tables and internals and is never exposed; switchyard_api is the one
-- exposed schema and holds functions for service_role alone. Locks nothing. Undo: drop both schemas.

create schema if not exists switchyard;
create schema if not exists switchyard_api;

-- Returns a version 7 UUID (RFC 9562): ids sort by the millisecond in which they were made, so that
-- inserts touch the right end of an index and not all of it.
create or replace function switchyard.new_id()
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
end;
$$;

-- So many ids of one moment for the price of one and little more.
create or replace function switchyard.new_ids(count integer)
returns setof uuid
language sql
volatile
set search_path = ''
as $$
  select encode(
    overlay(
      uuid_send(gen_random_uuid()) placing substring(uuid_send(first.id) from 1 for 7) from 1 for 7
    ),
    'hex'
  )::uuid
  from (select switchyard.new_id() as id) first
  cross join generate_series(1, count);
$$;

-- Keeps updated_at true whatever the statement says.
create or replace function switchyard.touch_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end;
$$;

revoke all on schema switchyard, switchyard_api from public;
grant usage on schema switchyard, switchyard_api to service_role;
revoke execute on all functions in schema switchyard from public, anon, authenticated;
