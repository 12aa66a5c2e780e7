-- What holds for the whole installation and changes at run time. One row, so that a claim can read it
-- in passing. Locks nothing. Undo: drop the table and the function below.

create table if not exists switchyard.settings (
  only_row boolean primary key default true,
  cache_generation bigint not null default 1,
  ticked_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint there_is_one_row check (only_row)
);
insert into switchyard.settings default values on conflict do nothing;

create or replace trigger settings_updated_at before update on switchyard.settings
  for each row execute function switchyard.touch_updated_at();

alter table switchyard.settings enable row level security;

-- Makes every isolate drop what it has cached at its next claim: claims carry the generation.
create or replace function switchyard_api.bump_cache_generation(actor jsonb)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_generation bigint;
begin
  update switchyard.settings set cache_generation = cache_generation + 1
  returning cache_generation into v_generation;

  perform switchyard.write_audit(null, actor, 'cache.cleared', 'credentials',
    jsonb_build_object('generation', v_generation));
  return v_generation;
end;
$$;

revoke execute on all functions in schema switchyard, switchyard_api from public, anon, authenticated;
grant execute on all functions in schema switchyard_api to service_role;
