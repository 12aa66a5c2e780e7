-- Stand-in for pg_cron 1.6.4 (https://github.com/citusdata/pg_cron): the same tables, functions,
-- row level security and, for "postgres", the same grants as on a hosted project.
--
-- Left out: the background worker (the local ticker runs the jobs), a job in another database or
-- as another user (refused), the range check of each schedule field (only the form is checked).

create schema cron;

create sequence cron.jobid_seq;

create sequence cron.runid_seq;

create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport int not null default coalesce(inet_server_port(), 5432),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);

create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid int,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

alter table cron.job enable row level security;
alter table cron.job_run_details enable row level security;

create policy cron_job_policy on cron.job
  using (username = current_user);
create policy cron_job_run_details_policy on cron.job_run_details
  using (username = current_user);

-- pg_cron answers an unknown schedule with this message and hint.
create function cron._check_schedule(schedule text) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if schedule ~* '^\s*([1-9]|[1-5][0-9])\s+seconds?\s*$' then return; end if;
  if schedule ~* '^\s*@(yearly|annually|monthly|weekly|daily|midnight|hourly|reboot)\s*$' then return; end if;
  if schedule ~* '^\s*([0-9a-z*,/$-]+\s+){4}[0-9a-z*,/$-]+\s*$' then return; end if;
  raise exception 'invalid schedule: %', schedule
    using errcode = 'invalid_parameter_value',
          hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
end
$$;

-- The public functions run as the caller and hand the caller's name over, as pg_cron stores it.
create function cron._save_job(
  job_name text, schedule text, command text, database text, username text, active boolean, owner text
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  saved bigint;
begin
  perform cron._check_schedule(schedule);
  if database is distinct from current_database() then
    raise exception 'this stand-in runs jobs in database % only', current_database();
  end if;
  if username is distinct from owner then
    raise exception 'this stand-in runs jobs as their owner only';
  end if;
  insert into cron.job as j (jobname, schedule, command, database, username, active)
  values (job_name, schedule, command, database, username, active)
  on conflict on constraint jobname_username_uniq do update
    set schedule = excluded.schedule,
        command = excluded.command,
        active = excluded.active
  returning j.jobid into saved;
  return saved;
end
$$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql as $$
  select cron._save_job(job_name, schedule, command, current_database(), current_user, true, current_user)
$$;

create function cron.schedule(schedule text, command text) returns bigint
language sql as $$
  select cron._save_job(null, schedule, command, current_database(), current_user, true, current_user)
$$;

create function cron.schedule_in_database(
  job_name text,
  schedule text,
  command text,
  database text,
  username text default null,
  active boolean default true
) returns bigint
language sql as $$
  select cron._save_job(
    job_name, schedule, command, database, coalesce(username, current_user), active, current_user)
$$;

create function cron._remove_job(job_id bigint, job_name text, owner text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  delete from cron.job j
  where j.username = owner and (j.jobid = job_id or j.jobname = job_name);
  if not found then
    raise exception 'could not find valid entry for job %',
      case when job_name is null then job_id::text else quote_literal(job_name) end;
  end if;
  return true;
end
$$;

create function cron.unschedule(job_id bigint) returns boolean
language sql as $$ select cron._remove_job(job_id, null, current_user) $$;

create function cron.unschedule(job_name text) returns boolean
language sql as $$ select cron._remove_job(null, job_name, current_user) $$;

create function cron._change_job(
  job_id bigint, schedule text, command text, database text, username text, active boolean, owner text
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if schedule is not null then
    perform cron._check_schedule(schedule);
  end if;
  if coalesce(database, current_database()) <> current_database() or coalesce(username, owner) <> owner then
    raise exception 'this stand-in runs jobs in this database and as their owner only';
  end if;
  update cron.job j
  set schedule = coalesce(_change_job.schedule, j.schedule),
      command = coalesce(_change_job.command, j.command),
      active = coalesce(_change_job.active, j.active)
  where j.jobid = job_id and j.username = owner;
  if not found then
    raise exception 'Job % does not exist or you don''t own it', job_id;
  end if;
end
$$;

create function cron.alter_job(
  job_id bigint,
  schedule text default null,
  command text default null,
  database text default null,
  username text default null,
  active boolean default null
) returns void
language sql as $$
  select cron._change_job(job_id, schedule, command, database, username, active, current_user)
$$;

revoke all on all functions in schema cron from public;
grant usage on schema cron to postgres with grant option;
grant execute on all functions in schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant select, insert, update, delete, truncate, references on cron.job_run_details
  to postgres with grant option;
grant usage, select on sequence cron.runid_seq to postgres;

select pg_extension_config_dump('cron.job', '');
select pg_extension_config_dump('cron.jobid_seq', '');
select pg_extension_config_dump('cron.job_run_details', '');
select pg_extension_config_dump('cron.runid_seq', '');
