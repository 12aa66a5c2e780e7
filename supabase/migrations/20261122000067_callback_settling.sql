-- What came of callbacks: the next of their line, retries for a day, and the pause of who fails that
-- long. Locks nothing. Undo: drop the functions below.

-- Lets endpoints remember how it goes with them: any success ends a row of failures. Whom nothing has
-- reached for as long as one delivery is tried is paused, and who says 410 is disabled: either is
-- written into the audit log, and what waits stays.
create or replace function switchyard.follow_callback_endpoints(outcomes jsonb, at timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_stopped uuid[];
begin
  with seen as (
    select d.endpoint_id,
      count(*) filter (where o.outcome in ('failed', 'gone')) as failures,
      bool_or(o.outcome = 'delivered') as is_reached,
      bool_or(o.outcome = 'gone') as is_gone,
      (array_agg(o.failure order by o.id desc) filter (where o.failure is not null))[1] as failure
    from jsonb_to_recordset(outcomes) as o (id bigint, outcome text, failure jsonb)
    join switchyard.callback_deliveries d on d.id = o.id
    where o.outcome <> 'deferred'
    group by d.endpoint_id
  ), judged as (
    select e.id, e.status, s.is_reached, s.failures, s.failure, s.is_gone,
      not s.is_reached and e.failing_since <= follow_callback_endpoints.at
        - make_interval(hours => settings.callback_retry_hours) as is_lost
    from seen s
    join switchyard.callback_endpoints e on e.id = s.endpoint_id
    cross join switchyard.settings
    where not s.is_reached or s.is_gone or e.failure_count > 0
  ), followed as (
    update switchyard.callback_endpoints e
    set
      failure_count = case when j.is_reached then 0 else e.failure_count + j.failures end,
      failing_since = case when not j.is_reached
        then coalesce(e.failing_since, follow_callback_endpoints.at) end,
      last_failure = coalesce(
        j.failure || jsonb_build_object('at', follow_callback_endpoints.at), e.last_failure),
      status = case
        when j.status <> 'active' then e.status
        when j.is_gone then 'disabled'
        when j.is_lost then 'paused'
        else e.status end,
      status_reason = case
        when j.status <> 'active' then e.status_reason
        when j.is_gone then 'gone'
        when j.is_lost then 'failing'
        else e.status_reason end
    from judged j
    where e.id = j.id
    returning e.id, j.status = 'active' and e.status <> 'active' as is_stopped
  )
  select array_agg(id) filter (where is_stopped) into v_stopped from followed;

  perform switchyard.write_audit(e.tenant_id, '{"kind": "switchyard"}', 'callback.' || e.status,
    e.id::text, jsonb_build_object('reason', e.status_reason, 'failing_since', e.failing_since,
      'failures', e.failure_count, 'last_failure', e.last_failure))
  from switchyard.callback_endpoints e
  where e.id = any (v_stopped);
end;
$$;

-- Writes back what came of claimed deliveries, only of the attempt that was given out: a worker that
-- comes late changes nothing. Outcomes: delivered; failed {due_at, failure}; gone {due_at, failure};
-- deferred {due_at} for what was not called for. What failed goes again at due_at, for a day from its
-- first failure or from when its endpoint was enabled; after that it is given up, unless nothing gets
-- through to the endpoint, which is paused then and keeps all that waits. Results: delivered, retried,
-- dropped, deferred, superseded, and paused for what waits now for its endpoint to be enabled.
create or replace function switchyard_api.settle_callbacks(
  outcomes jsonb, at timestamptz default clock_timestamp()
)
returns table (id bigint, result text)
language plpgsql
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_ours jsonb;
begin
  perform switchyard.lock_callback_lines();
  select jsonb_agg(o) into v_ours
  from jsonb_array_elements(outcomes) o
  join switchyard.callback_deliveries d on d.id = (o ->> 'id')::bigint
  where d.attempt_count = (o ->> 'attempt')::integer and d.lease_expires_at is not null;
  v_ours := coalesce(v_ours, '[]');
  perform switchyard.follow_callback_endpoints(v_ours, settle_callbacks.at);

  return query
  with ours as (
    select o.*, coalesce(d.first_failed_at, settle_callbacks.at) as failed_at,
      greatest(coalesce(d.first_failed_at, settle_callbacks.at), e.enabled_at)
        + make_interval(hours => settings.callback_retry_hours) as retry_until,
      e.status <> 'active' as is_stopped
    from jsonb_to_recordset(v_ours) as o (
      id bigint, outcome text, due_at timestamptz, failure jsonb)
    join switchyard.callback_deliveries d on d.id = o.id
    join switchyard.callback_endpoints e on e.id = d.endpoint_id
    cross join switchyard.settings
  ), judged as (
    select o.*, case
      when o.outcome in ('delivered', 'deferred') then o.outcome
      when o.is_stopped then 'paused'
      when settle_callbacks.at >= o.retry_until then 'dropped'
      else 'retried' end as result
    from ours o
  ), settled as (
    update switchyard.callback_deliveries d
    set
      state = case j.result when 'delivered' then 'delivered' when 'dropped' then 'given_up'
        else 'head' end,
      finished_at = case when j.result in ('delivered', 'dropped') then settle_callbacks.at end,
      lease_expires_at = null,
      due_at = case
        when j.result = 'retried' then least(j.due_at, j.retry_until)
        when j.result in ('paused', 'deferred') then j.due_at
        else d.due_at end,
      failure_count = d.failure_count + case when j.outcome in ('failed', 'gone') then 1 else 0 end,
      first_failed_at = case when j.outcome in ('failed', 'gone')
        then j.failed_at else d.first_failed_at end,
      last_failure = coalesce(j.failure, d.last_failure)
    from judged j
    where d.id = j.id
    returning d.id, j.result
  )
  select (o ->> 'id')::bigint, coalesce(settled.result, 'superseded')
  from jsonb_array_elements(outcomes) o
  left join settled on settled.id = (o ->> 'id')::bigint;

  perform switchyard.pass_callback_turns(array_agg(d.endpoint_id), array_agg(d.order_key))
  from switchyard.callback_deliveries d
  where d.id in (select (o ->> 'id')::bigint from jsonb_array_elements(v_ours) o)
    and d.finished_at is not null
  having count(*) > 0;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
