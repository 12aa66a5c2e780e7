-- Finding the file of a customer's message, with what it must be. Locks nothing. Undo: drop the function.

-- Tells what the file of a message is called at Meta and what was said of it; null where the tenant has
-- no such message, or the message no file.
create or replace function switchyard_api.find_media(tenant_id uuid, event_id bigint)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object('sender_id', s.id, 'phone_number_id', s.phone_number_id, 'type', e.type,
    'id', e.content -> e.type ->> 'id', 'mime_type', e.content -> e.type ->> 'mime_type',
    'sha256', e.content -> e.type ->> 'sha256', 'filename', e.content -> e.type ->> 'filename')
  from switchyard.conversation_events e
  join switchyard.conversations c on c.id = e.conversation_id
  join switchyard.senders s on s.id = c.sender_id
  where e.id = find_media.event_id and e.tenant_id = find_media.tenant_id
    and e.type in ('image', 'video', 'audio', 'document', 'sticker')
    and e.content -> e.type ->> 'id' is not null;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
