-- Stand-in for pg_net 0.20.3 (https://github.com/supabase/pg_net): the same tables, types,
-- functions, defaults and grants. A request wakes the local ticker through the channel
-- pg_net_wake when its transaction commits; the ticker answers as the session
-- "pg_net 0.20.3 worker", which check_worker_is_up() looks for.
--
-- Left out: the background worker itself, worker_restart() (answers true and does nothing).

create schema net;

create domain net.http_method as text
  check (value ilike 'get' or value ilike 'post' or value ilike 'delete');

create unlogged table net.http_request_queue (
  id bigserial,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds int not null
);

create unlogged table net._http_response (
  id bigint,
  status_code int,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);

create index on net._http_response (created);

create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code int, headers jsonb, body text);
create type net.http_response_result as (
  status net.request_status,
  message text,
  response net.http_response
);

create function net.check_worker_is_up() returns void
language plpgsql as $$
begin
  if not exists (
    select from pg_stat_activity
    where backend_type ilike '%pg_net%' or application_name ilike 'pg_net%worker'
  ) then
    raise exception 'the pg_net background worker is not up'
      using detail = 'the pg_net background worker is down due to an internal error and cannot process requests',
            hint = 'start the local platform, whose ticker stands in for the worker';
  end if;
end
$$;

create function net.wait_until_running() returns void
language plpgsql as $$
begin
  loop
    begin
      perform net.check_worker_is_up();
      return;
    exception when raise_exception then
      perform pg_sleep(0.05), pg_stat_clear_snapshot();
    end;
  end loop;
end
$$;

create function net.worker_restart() returns boolean
language sql as $$ select true $$;

create function net.wake() returns void
language sql as $$ select pg_notify('pg_net_wake', '') $$;

-- Bytes other than RFC 3986's unreserved ones become %XX.
create function net._urlencode_string(string varchar) returns text
language sql immutable as $$
  select coalesce(string_agg(
    case
      when byte between 48 and 57 or byte between 65 and 90 or byte between 97 and 122
        or byte in (45, 46, 95, 126) then chr(byte)
      else '%' || upper(lpad(to_hex(byte), 2, '0'))
    end, '' order by at), '')
  from (
    select get_byte(bytes, i) as byte, i as at
    from (select convert_to(string, 'UTF8') as bytes) s, generate_series(0, length(bytes) - 1) i
  ) encoded
$$;

create function net._encode_url_with_params_array(url text, params_array text[]) returns text
language sql immutable as $$
  select case
    when coalesce(cardinality(params_array), 0) = 0 then url
    else url || case when position('?' in url) > 0 then '&' else '?' end
      || array_to_string(params_array, '&')
  end
$$;

create function net._with_params(url text, params jsonb) returns text
language sql immutable as $$
  select net._encode_url_with_params_array(
    url,
    (select array_agg(net._urlencode_string(key) || '=' || net._urlencode_string(value))
     from jsonb_each_text(params)))
$$;

create function net.http_get(
  url text,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{}'::jsonb,
  timeout_milliseconds int default 5000
) returns bigint
language plpgsql as $$
declare
  request_id bigint;
begin
  insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
  values ('GET', net._with_params(url, params), headers, timeout_milliseconds)
  returning id into request_id;
  perform net.wake();
  return request_id;
end
$$;

create function net.http_post(
  url text,
  body jsonb default '{}'::jsonb,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
  timeout_milliseconds int default 5000
) returns bigint
language plpgsql as $$
declare
  request_id bigint;
  content_type text := (
    select value from jsonb_each_text(coalesce(headers, '{}'::jsonb))
    where lower(key) = 'content-type' limit 1);
begin
  if content_type is null then
    headers := headers || '{"Content-Type": "application/json"}'::jsonb;
  elsif content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (
    'POST', net._with_params(url, params), headers, convert_to(body::text, 'UTF8'),
    timeout_milliseconds)
  returning id into request_id;
  perform net.wake();
  return request_id;
end
$$;

create function net.http_delete(
  url text,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{}'::jsonb,
  timeout_milliseconds int default 5000,
  body jsonb default null
) returns bigint
language plpgsql as $$
declare
  request_id bigint;
begin
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (
    'DELETE', net._with_params(url, params), headers, convert_to(body::text, 'UTF8'),
    timeout_milliseconds)
  returning id into request_id;
  perform net.wake();
  return request_id;
end
$$;

create function net._await_response(request_id bigint) returns boolean
language plpgsql as $$
begin
  while not exists (select from net._http_response where id = request_id) loop
    perform pg_sleep(0.05);
  end loop;
  return true;
end
$$;

create function net._http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result
language plpgsql as $$
declare
  answer net._http_response;
begin
  if not async then
    perform net._await_response(request_id);
  end if;
  select * into answer from net._http_response where id = request_id;
  if answer.id is null or answer.error_msg is not null then
    return row(
      'ERROR', coalesce(answer.error_msg, 'request matching request_id not found'), null
    )::net.http_response_result;
  end if;
  return row(
    'SUCCESS', 'ok', row(answer.status_code, answer.headers, answer.content)::net.http_response
  )::net.http_response_result;
end
$$;

create function net.http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result
language sql as $$ select net._http_collect_response(request_id, async) $$;

-- Granted to everyone, as the real one does.
grant usage on schema net to public;
grant all on all sequences in schema net to public;
grant all on all tables in schema net to public;
