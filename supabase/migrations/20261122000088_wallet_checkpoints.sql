-- Evidence of what was recorded: once a minute everything new is hashed into a checkpoint that carries
-- the one before it. Whoever keeps a checkpoint can tell later whether anything before it was changed,
-- be it by a superuser. Movements of money know nothing of it. Locks nothing on a first install.
-- Undo: unschedule the job, drop the objects below.

create table if not exists switchyard.wallet_checkpoints (
  id bigint primary key,
  sealed_at timestamptz not null,
  entry_count integer not null,
  root bytea not null,
  previous_hash bytea not null,
  hash bytea not null,
  constraint id_is_positive check (id > 0),
  constraint a_checkpoint_seals_something check (entry_count > 0)
);

-- The entries of one account in one checkpoint: the hash of each, one after the other, and the hash of
-- them all and of the seal before.
create table if not exists switchyard.wallet_seals (
  account_id uuid not null references switchyard.wallet_accounts (id),
  sequence bigint not null,
  first_sequence bigint not null,
  checkpoint_id bigint not null references switchyard.wallet_checkpoints (id),
  leaves bytea not null,
  hash bytea not null,
  primary key (account_id, sequence),
  constraint a_leaf_for_each_entry
    check (length(leaves) = 32 * (sequence - first_sequence + 1) and sequence >= first_sequence)
);
create index if not exists wallet_seals_checkpoint_id
  on switchyard.wallet_seals (checkpoint_id, account_id);

-- How far each account is sealed: told by the seals too, but quicker from here.
create table if not exists switchyard.wallet_seal_heads (
  account_id uuid primary key references switchyard.wallet_accounts (id),
  sequence bigint not null,
  hash bytea not null
)
with (fillfactor = 70);

create or replace trigger wallet_checkpoints_are_immutable
  before update or delete on switchyard.wallet_checkpoints
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_checkpoints_are_not_truncated
  before truncate on switchyard.wallet_checkpoints
  for each statement execute function switchyard.refuse_change();
create or replace trigger wallet_seals_are_immutable
  before update or delete on switchyard.wallet_seals
  for each row execute function switchyard.refuse_change();
create or replace trigger wallet_seals_are_not_truncated
  before truncate on switchyard.wallet_seals
  for each statement execute function switchyard.refuse_change();

alter table switchyard.wallet_checkpoints enable row level security;
alter table switchyard.wallet_seals enable row level security;
alter table switchyard.wallet_seal_heads enable row level security;

-- The hash of each of these entries with all that its transfer says: SHA-256 over a zero byte and a JSON
-- array, in which no text can pass for two. Times are microseconds since 1970.
create or replace function switchyard.hash_entries(
  account_id uuid, first_sequence bigint, last_sequence bigint
)
returns table (sequence bigint, leaf bytea)
language sql
stable
set search_path = ''
as $$
  select e.sequence, sha256('\x00'::bytea || convert_to(jsonb_build_array(
    e.account_id, e.sequence, e.amount_micros, e.balance_micros,
    (extract(epoch from e.event_at) * 1000000)::bigint,
    (extract(epoch from e.created_at) * 1000000)::bigint,
    t.id, t.tenant_id, t.kind, t.payment_id, t.hold_id, t.reference, t.corrects_transfer_id,
    t.detail, t.actor)::text, 'UTF8'))
  from switchyard.wallet_entries e
  join switchyard.wallet_transfers t on t.id = e.transfer_id
  where e.account_id = hash_entries.account_id
    and e.sequence between hash_entries.first_sequence and hash_entries.last_sequence;
$$;

-- What stands before the first of anything.
create or replace function switchyard.no_hash()
returns bytea
language sql
immutable
set search_path = ''
as $$
  select decode(repeat('00', 32), 'hex');
$$;

-- The root of the Merkle tree over these hashes, each paired with its neighbour level by level; one
-- that has none goes up as it is.
create or replace function switchyard.merkle_root(hashes bytea[])
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_level bytea[] := hashes;
begin
  while cardinality(v_level) > 1 loop
    v_level := array(
      select case when v_level[n + 1] is null then v_level[n]
        else sha256('\x01'::bytea || v_level[n] || v_level[n + 1]) end
      from generate_series(1, cardinality(v_level), 2) n
      order by n);
  end loop;
  return v_level[1];
end;
$$;

-- The root of a checkpoint: over its seals in the order of their accounts.
create or replace function switchyard.root_of_seals(seals switchyard.wallet_seals[])
returns bytea
language sql
immutable
set search_path = ''
as $$
  select switchyard.merkle_root(array_agg(
    sha256('\x02'::bytea || uuid_send(s.account_id) || int8send(s.sequence) || s.hash)
    order by s.account_id))
  from unnest(seals) s;
$$;

create or replace function switchyard.hash_checkpoint(
  id bigint, entry_count integer, root bytea, previous_hash bytea
)
returns bytea
language sql
immutable
set search_path = ''
as $$
  select sha256('\x03'::bytea || int8send(hash_checkpoint.id)
    || int4send(hash_checkpoint.entry_count) || hash_checkpoint.root
    || hash_checkpoint.previous_hash);
$$;

-- Seals entries that are not sealed yet, of the accounts that waited longest, about so many. An
-- account's row says how many entries it has and commits with them, so none can come in behind. Returns
-- how many it sealed; nothing while another is at it.
create or replace function switchyard.seal_wallet(at timestamptz, entry_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_seals switchyard.wallet_seals[];
  v_last switchyard.wallet_checkpoints;
  v_count integer;
  v_root bytea;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('switchyard seal wallet', 0)) then
    return 0;
  end if;
  select * into v_last from switchyard.wallet_checkpoints c order by c.id desc limit 1;
  v_last.id := coalesce(v_last.id, 0);

  with unsealed as (
    select a.id, a.updated_at, coalesce(h.sequence, 0) as sealed,
      least(a.last_sequence, coalesce(h.sequence, 0) + entry_limit) as sequence,
      coalesce(h.hash, switchyard.no_hash()) as previous_hash
    from switchyard.wallet_accounts a
    left join switchyard.wallet_seal_heads h on h.account_id = a.id
    where a.last_sequence > coalesce(h.sequence, 0)
  ),
  queue as (
    select u.*, sum(u.sequence - u.sealed) over (order by u.updated_at, u.id)
      - (u.sequence - u.sealed) as before
    from unsealed u
  ),
  hashed as materialized (
    select q.id, q.sealed, q.sequence, q.previous_hash, (
        select string_agg(e.leaf, ''::bytea order by e.sequence)
        from switchyard.hash_entries(q.id, q.sealed + 1, q.sequence) e
      ) as leaves
    from queue q
    where q.before < entry_limit
  )
  select array_agg(row(h.id, h.sequence, h.sealed + 1, v_last.id + 1, h.leaves,
      sha256('\x04'::bytea || h.previous_hash || h.leaves))::switchyard.wallet_seals),
    sum(h.sequence - h.sealed)
  into v_seals, v_count
  from hashed h;
  if v_seals is null then
    return 0;
  end if;

  v_root := switchyard.root_of_seals(v_seals);
  insert into switchyard.wallet_checkpoints (id, sealed_at, entry_count, root, previous_hash, hash)
  values (v_last.id + 1, seal_wallet.at, v_count, v_root,
    coalesce(v_last.hash, switchyard.no_hash()),
    switchyard.hash_checkpoint(v_last.id + 1, v_count, v_root,
      coalesce(v_last.hash, switchyard.no_hash())));
  insert into switchyard.wallet_seals select s.* from unnest(v_seals) s;
  insert into switchyard.wallet_seal_heads as h (account_id, sequence, hash)
  select s.account_id, s.sequence, s.hash from unnest(v_seals) s
  on conflict (account_id) do update
  set sequence = excluded.sequence,
      hash = excluded.hash;
  return v_count;
end;
$$;

-- Lists what is no longer as it was sealed in the checkpoints after one and up to another: entries that
-- were changed or are gone, each by its name, seals and checkpoints that do not carry those before them.
create or replace function switchyard.find_broken_seals(after_id bigint, up_to_id bigint)
returns table (rule text, subject text, tenant_id uuid, detail jsonb)
language sql
stable
set search_path = ''
as $$
  with seal as materialized (
    select s.* from switchyard.wallet_seals s
    where s.checkpoint_id > after_id and s.checkpoint_id <= up_to_id
  )
  select 'entry_is_as_sealed', seal.account_id || ' #' || n.sequence, a.tenant_id,
    jsonb_build_object('checkpoint', seal.checkpoint_id,
      'fault', case when e.leaf is null then 'missing' else 'changed' end)
  from seal
  join switchyard.wallet_accounts a on a.id = seal.account_id
  cross join lateral generate_series(seal.first_sequence, seal.sequence) as n (sequence)
  left join lateral switchyard.hash_entries(seal.account_id, seal.first_sequence, seal.sequence) e
    on e.sequence = n.sequence
  where e.leaf is distinct from
    substring(seal.leaves from ((n.sequence - seal.first_sequence) * 32 + 1)::integer for 32)
  union all
  select 'seal_carries_the_one_before', seal.account_id || ' #' || seal.sequence, a.tenant_id,
    jsonb_build_object('checkpoint', seal.checkpoint_id)
  from seal
  join switchyard.wallet_accounts a on a.id = seal.account_id
  left join lateral (
    select p.sequence, p.hash from switchyard.wallet_seals p
    where p.account_id = seal.account_id and p.sequence < seal.sequence
    order by p.sequence desc limit 1
  ) before on true
  where seal.first_sequence <> coalesce(before.sequence, 0) + 1
    or seal.hash <> sha256('\x04'::bytea || coalesce(before.hash, switchyard.no_hash())
      || seal.leaves)
  union all
  select 'checkpoint_carries_the_one_before', n.id::text, null, '{}'
  from generate_series(after_id + 1,
    least(up_to_id, (select coalesce(max(c.id), 0) from switchyard.wallet_checkpoints c))) as n (id)
  left join switchyard.wallet_checkpoints c on c.id = n.id
  left join switchyard.wallet_checkpoints p on p.id = n.id - 1
  where c.id is null
    or c.previous_hash <> coalesce(p.hash, switchyard.no_hash())
    or c.root is distinct from switchyard.root_of_seals(
      array(select s from switchyard.wallet_seals s where s.checkpoint_id = c.id))
    or c.hash <> switchyard.hash_checkpoint(c.id, c.entry_count, c.root, c.previous_hash);
$$;

-- Proves a page of checkpoints against the entries, from after one on; `next` is where to go on, null
-- at the end. The newest checkpoint is the one to keep elsewhere.
create or replace function switchyard_api.verify_wallet(
  after_id bigint default 0, checkpoint_limit integer default 100
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  with page as (
    select count(*) as checkpoints, coalesce(sum(c.entry_count), 0) as entries,
      max(c.id) as last_id
    from (
      select * from switchyard.wallet_checkpoints c
      where c.id > after_id
      order by c.id
      limit greatest(1, least(checkpoint_limit, 1000))
    ) c
  ),
  broken as (
    select b.* from page cross join lateral switchyard.find_broken_seals(after_id, page.last_id) b
    limit 1000
  )
  select jsonb_build_object(
    'outcome', case when exists (select from broken) then 'broken' else 'verified' end,
    'checkpoints', page.checkpoints,
    'entries', page.entries,
    'broken', (select coalesce(jsonb_agg(to_jsonb(b) order by b.rule, b.subject), '[]') from broken b),
    'next', case when page.last_id < (select max(c.id) from switchyard.wallet_checkpoints c)
      then page.last_id end,
    'newest', (
      select jsonb_build_object('id', c.id, 'hash', encode(c.hash, 'hex'), 'sealed_at', c.sealed_at)
      from switchyard.wallet_checkpoints c order by c.id desc limit 1))
  from page;
$$;

-- Tells the checkpoint that covers an account's entries up to this one; null until there is one.
create or replace function switchyard.tell_checkpoint(account_id uuid, sequence bigint)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('id', c.id, 'sealed_at', c.sealed_at, 'hash', encode(c.hash, 'hex'),
    'sequence', s.sequence, 'account_hash', encode(s.hash, 'hex'))
  from switchyard.wallet_seals s
  join switchyard.wallet_checkpoints c on c.id = s.checkpoint_id
  where s.account_id = tell_checkpoint.account_id and s.sequence >= tell_checkpoint.sequence
  order by s.sequence
  limit 1;
$$;

select cron.schedule('switchyard-wallet-seals', '* * * * *',
  'select switchyard.seal_wallet(clock_timestamp(), 20000)');

revoke all on switchyard.wallet_checkpoints, switchyard.wallet_seals, switchyard.wallet_seal_heads
  from public, anon, authenticated, service_role;
revoke update, delete, truncate on switchyard.wallet_seals from current_user;
revoke delete, truncate on switchyard.wallet_checkpoints from current_user;
revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
