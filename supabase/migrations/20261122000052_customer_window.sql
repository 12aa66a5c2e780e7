-- The customer service window: for 24 hours after a customer wrote or called, anything may be sent to
-- them; after that only a template (131047 in docs/meta-errors.md).
-- Locks inbound_events against writes for the time of an index scan. Undo: drop the index and function.

-- Calls are kept and not applied: what a sender's callers did to their windows is not known here.
create index if not exists inbound_events_calls
  on switchyard.inbound_events (sender_id, received_at)
  where field = 'calls';

-- Finds, of items as accept_messages() has them (with sender_id), those that no customer service window
-- allows: free-form ones to a customer who is known to have written last more than 24 hours before. Of
-- who never wrote to this sender, or may have called it since, nothing is known, and Meta decides; so it
-- does when a window that is open now closes before the message goes. A read receipt is no message.
create or replace function switchyard.closed_windows(tenant_id uuid, items jsonb, at timestamptz)
returns table (index integer, closed_at timestamptz)
language sql
stable
set search_path = ''
as $$
  select i.index, c.last_inbound_at + interval '24 hours'
  from jsonb_to_recordset(items) as i (index integer, sender_id uuid, "to" text, type text)
  join switchyard.conversations c
    on c.sender_id = i.sender_id and (c.customer_phone = i."to" or c.customer_user_id = i."to")
  where i.type not in ('template', 'read')
    and c.tenant_id = closed_windows.tenant_id
    and c.last_inbound_at <= closed_windows.at - interval '24 hours'
    and not exists (
      select from switchyard.inbound_events e
      where e.sender_id = i.sender_id and e.field = 'calls'
        and e.received_at > closed_windows.at - interval '24 hours');
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
