-- What the wallet does by itself, every minute. Each job is a transaction of its own, so that the
-- accounts of each are locked in one order. Locks nothing. Undo: unschedule the jobs, drop the functions.

-- Pays debts from what came into the tenant's accounts by other ways than a top-up. Returns how many
-- debts it paid something of.
create or replace function switchyard.repay_debts(account_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_payers uuid[];
  v_debts uuid[];
begin
  select coalesce(array_agg(distinct able.id), '{}'), coalesce(array_agg(distinct able.debt_id), '{}')
  into v_payers, v_debts
  from (
    select a.id, r.id as debt_id
    from switchyard.wallet_accounts r
    join switchyard.wallet_accounts a on a.tenant_id = r.tenant_id and a.currency = r.currency
    where r.kind = 'receivable' and r.posted_micros < 0
      and a.kind = 'cash' and switchyard.available_micros(a) > 0
    limit account_limit
  ) able;
  perform switchyard.lock_wallet_accounts(v_payers || v_debts);
  perform switchyard.repay_debt(payer.id, '{"kind":"tick"}') from unnest(v_payers) as payer (id);
  return cardinality(v_debts);
end;
$$;

select cron.schedule('switchyard-wallet-tick', '* * * * *',
  'select switchyard.expire_holds(clock_timestamp(), 10000)');
select cron.schedule('switchyard-wallet-debts', '* * * * *', 'select switchyard.repay_debts(1000)');

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
