-- Holds: money set aside before the thing that it pays for has happened. Only the shape stands here;
-- held_micros of an account is the sum of what its open holds still hold. Locks nothing on a first
-- install. Undo: drop the table.

create table if not exists switchyard.wallet_holds (
  id uuid primary key default switchyard.new_id(),
  account_id uuid not null references switchyard.wallet_accounts (id),
  message_id uuid,
  amount_micros bigint not null,
  captured_micros bigint not null default 0,
  released_micros bigint not null default 0,
  -- Named by what ended it, so that a second try can be told which came first.
  status text not null default 'open',
  detail jsonb not null default '{}',
  actor jsonb not null,
  expires_at timestamptz,
  resolved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint amount_is_positive check (amount_micros > 0),
  constraint parts_are_not_negative check (captured_micros >= 0 and released_micros >= 0),
  constraint parts_do_not_exceed_the_hold
    check (captured_micros + released_micros <= amount_micros),
  constraint status_is_known check (status in ('open', 'captured', 'released', 'expired')),
  -- A capture that comes after the release turns the release back, so both parts always add up.
  constraint a_resolved_hold_holds_nothing check (
    (status = 'open') = (captured_micros + released_micros < amount_micros)
    and (status = 'open') = (resolved_at is null)
  )
)
with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- A message that is redriven is held for again; what was held before stays told.
alter table switchyard.wallet_holds drop constraint if exists a_message_has_one_hold;
create index if not exists wallet_holds_message_id on switchyard.wallet_holds (message_id)
  where message_id is not null;
create unique index if not exists a_message_has_one_open_hold
  on switchyard.wallet_holds (message_id) where status = 'open';
create index if not exists wallet_holds_account_id on switchyard.wallet_holds (account_id);
create index if not exists wallet_holds_to_expire on switchyard.wallet_holds (expires_at)
  where status = 'open' and expires_at is not null;

create or replace trigger wallet_holds_terms_are_fixed
  before update of id, account_id, message_id, amount_micros on switchyard.wallet_holds
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_holds_are_not_deleted
  before delete on switchyard.wallet_holds
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_holds_are_not_truncated
  before truncate on switchyard.wallet_holds
  for each statement execute function switchyard.refuse_change();
create or replace trigger wallet_holds_updated_at
  before update on switchyard.wallet_holds
  for each row execute function switchyard.touch_updated_at();

do $$
begin
  if not exists (select from pg_catalog.pg_constraint where conname = 'capture_belongs_to_a_hold') then
    alter table switchyard.wallet_transfers
      add constraint capture_belongs_to_a_hold
      foreign key (hold_id) references switchyard.wallet_holds (id);
  end if;
end;
$$;

alter table switchyard.wallet_holds enable row level security;

revoke all on switchyard.wallet_holds from public, anon, authenticated, service_role;
revoke delete, truncate on switchyard.wallet_holds from current_user;
