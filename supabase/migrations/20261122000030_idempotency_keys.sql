-- What a caller has asked for under a key of its own choosing, kept beside the effect and written in
-- the same transaction: a rollback removes the key with the work, and a second request with the key
-- waits for the first and then sees its row. Locks nothing. Undo: drop the table and function.

create table if not exists switchyard.idempotency_keys (
  tenant_id uuid not null references switchyard.tenants (id) on delete cascade,
  scope text not null,
  key text not null,
  fingerprint text not null,
  field_digests jsonb not null default '{}',
  response jsonb,
  resource_id uuid,
  created_at timestamptz not null default now(),
  primary key (tenant_id, scope, key),
  constraint key_has_1_to_300_characters check (char_length(key) between 1 and 300),
  -- A regular expression would cost more than all the rest of the row.
  constraint fingerprint_is_sha256_hex check (
    length(fingerprint) = 64 and translate(fingerprint, '0123456789abcdef', '') = ''
  )
);

-- Of the wallet's keys whose answers are still kept: those that are forgotten first.
create index if not exists idempotency_keys_with_response
  on switchyard.idempotency_keys (created_at) where response is not null and scope like 'wallet.%';

alter table switchyard.idempotency_keys enable row level security;

-- Names the top-level fields in which two requests differ, those present in only one of them included.
create or replace function switchyard.differing_fields(was jsonb, is_now jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_agg(name order by name), '[]')
  from (
    select jsonb_object_keys(coalesce(was, '{}')) as name
    union
    select jsonb_object_keys(coalesce(is_now, '{}'))
  ) fields
  where coalesce(was, '{}') -> name is distinct from coalesce(is_now, '{}') -> name;
$$;

-- How often a key of the wallet was new, known, or used wrongly. Sequences count outside of transactions: what was
-- rolled back was asked all the same, and nobody waits for anybody to count.
create sequence if not exists switchyard.idempotency_misses;
create sequence if not exists switchyard.idempotency_hits;
create sequence if not exists switchyard.idempotency_errors;

-- Tells what was counted since the installation.
create or replace function switchyard.tell_idempotency_counts()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'miss', (select case when is_called then last_value else 0 end
      from switchyard.idempotency_misses),
    'hit', (select case when is_called then last_value else 0 end from switchyard.idempotency_hits),
    'error', (select case when is_called then last_value else 0 end
      from switchyard.idempotency_errors));
$$;

revoke all on switchyard.idempotency_misses, switchyard.idempotency_hits,
  switchyard.idempotency_errors from public, anon, authenticated, service_role;
revoke execute on all functions in schema switchyard from public, anon, authenticated;
