import { NOBODY, SEVERAL } from "./breaker.ts";
import { FORMAT_VERSION, FORMAT_WORDS, TEXT_WORDS } from "./breaker_format.ts";
import {
  ISOLATED_WAIT_MS,
  KEEP_MS,
  MAX_PAUSE_MS,
  OPEN_GROWTH,
  OPEN_JITTER_PERCENT,
  PROBE_WAIT_MS,
  WINDOW_SLOTS,
} from "./breaker_settings.ts";

/** Before the name of its scope: the key of a breaker. */
export const KEY_PREFIX = "switchyard:breaker:";
/** A sorted set of the scopes that the console lists. */
export const INDEX_KEY = "switchyard:breakers";
/** The list is bounded: what is troubled stays on it longest. */
const MAX_LISTED = 1_000;

/** The words of one line of settings, in the order that the scripts read. */
const SETTINGS_WORDS = [
  "failures_in_a_row",
  "failure_rate_percent",
  "minimum_requests",
  "window_ms",
  "open_ms",
  "max_open_ms",
  "probe_lease_ms",
  "witnesses",
] as const;

/** The words of one line of results. */
const RESULTS_WORDS = [
  "generation",
  "failures",
  "successes",
  "trailing_failures",
  "pause_ms",
  "witness",
] as const;

/** What the admit script answers for each breaker. */
export const VERDICTS = { allowed: 0, probe: 1, open: 2, probing: 3, isolated: 4 } as const;

const TROUBLED_LONGER_MS = 24 * 60 * 60_000;

// The flag lets Upstash lock the named keys alone, so that claims do not wait for each other.
const PRELUDE = `#!lua flags=allow-key-locking
-- The rules of breaker.ts, atomic and on the clock of Redis.
local BREAKER_PATTERN = '^${FORMAT_VERSION} ${patternOf(FORMAT_WORDS)}(.*)$'
local BREAKER_FORMAT = '${FORMAT_VERSION} ${formatOf(FORMAT_WORDS)}'
local SETTINGS_PATTERN = '^${patternOf(SETTINGS_WORDS)}$'
local unpack = table.unpack or unpack

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function new_breaker()
  return {
    state = 'closed', generation = 0, since_ms = 0, duration_ms = 0,
    cause = 'none', failed_probes = 0, failures_in_a_row = 0, witness = '${NOBODY}',
    opened_count = 0, opened_at_ms = 0, requests = 0, failures = 0, window = {},
  }
end

-- What is missing, or of another version, is a new breaker.
local function decode(line)
  local found = { string.match(line or '', BREAKER_PATTERN) }
  if #found == 0 then return new_breaker() end
  local breaker = { ${recordOf(FORMAT_WORDS)} }
  breaker.window = {}
  for slot, requests, failures in string.gmatch(found[#found], ' (%d+) (%d+) (%d+)') do
    table.insert(breaker.window, {
      slot = tonumber(slot), requests = tonumber(requests), failures = tonumber(failures),
    })
  end
  return breaker
end

local function encode(breaker)
  local line = { string.format(BREAKER_FORMAT, ${
  FORMAT_WORDS.map((it) => `breaker.${it}`).join(", ")
}) }
  for _, it in ipairs(breaker.window) do
    table.insert(line, string.format('%.0f %.0f %.0f', it.slot, it.requests, it.failures))
  end
  return table.concat(line, ' ')
end

local function whole(number)
  return string.format('%.0f', number)
end

-- State expires by itself, except what an operator holds.
local function store(key, breaker)
  local line = encode(breaker)
  if breaker.state == 'isolated' then
    redis.call('SET', key, line)
  else
    redis.call('SET', key, line, 'PX', whole(breaker.duration_ms + ${KEEP_MS}))
  end
  return line
end

local function change(breaker, state, since_ms, duration_ms)
  breaker.state, breaker.generation = state, breaker.generation + 1
  breaker.since_ms, breaker.duration_ms = since_ms, duration_ms
end

local function close(breaker, now_ms)
  change(breaker, 'closed', now_ms, 0)
  breaker.failed_probes, breaker.failures_in_a_row = 0, 0
  breaker.witness, breaker.window = '${NOBODY}', {}
end

-- Where the breaker comes on the list: what is troubled stays when the list is cut.
local function rank(breaker, now_ms)
  local longer = breaker.state == 'closed' and 0 or ${TROUBLED_LONGER_MS}
  return whole(now_ms + breaker.duration_ms + ${KEEP_MS} + longer)
end

local function cut_list(index, now_ms)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', whole(now_ms))
  redis.call('ZREMRANGEBYRANK', index, 0, -${MAX_LISTED + 1})
end

-- The settings are a few lines, as one kind of scope shares one.
local function settings_of(lines, rows)
  local by_row, each = {}, {}
  for line in string.gmatch(lines, '[^;]+') do
    local found = { string.match(line, SETTINGS_PATTERN) }
    table.insert(by_row, { ${recordOf(SETTINGS_WORDS)} })
  end
  for row in string.gmatch(rows, '%d+') do table.insert(each, by_row[tonumber(row)]) end
  return each
end
`;

/** Says of each breaker whether calls may go, and leases the probes that are due. */
export const ADMIT_SCRIPT = `${PRELUDE}
local breaker_keys = KEYS
local settings = settings_of(
  ARGV[1], -- settings_lines: one line of SETTINGS_WORDS for each kind, parted by ;
  ARGV[2] -- settings_rows: the number of the line that each key goes by
)
local now_ms = now()

local function lease(key, breaker, set)
  change(breaker, 'half_open', now_ms, set.probe_lease_ms)
  store(key, breaker)
  return ${VERDICTS.probe}, set.probe_lease_ms
end

-- A clock that was put back lengthens a pause by no more than the pause itself.
local function admit(key, breaker, set)
  if breaker.state == 'closed' then return ${VERDICTS.allowed}, 0 end
  if breaker.state == 'isolated' then return ${VERDICTS.isolated}, ${ISOLATED_WAIT_MS} end
  local elapsed_ms = now_ms - breaker.since_ms
  if math.abs(elapsed_ms) >= breaker.duration_ms then return lease(key, breaker, set) end
  local remaining_ms = breaker.duration_ms - elapsed_ms
  if breaker.state == 'open' then return ${VERDICTS.open}, remaining_ms end
  return ${VERDICTS.probing}, math.min(remaining_ms, ${PROBE_WAIT_MS})
end

-- Nearly all are closed, of which the generation alone is to be read.
local function generation_if_closed(line)
  if not line then return 0 end
  return tonumber(string.match(line, '^${FORMAT_VERSION} closed (%d+) '))
end

local answer = {}
for i, line in ipairs(redis.call('MGET', unpack(breaker_keys))) do
  local generation, verdict, wait_ms = generation_if_closed(line), ${VERDICTS.allowed}, 0
  if not generation then
    local breaker = decode(line)
    verdict, wait_ms = admit(breaker_keys[i], breaker, settings[i])
    generation = breaker.generation
  end
  table.insert(answer, verdict)
  table.insert(answer, generation)
  table.insert(answer, wait_ms)
end
return answer
`;

/** Counts results; answers the number, the state before and the line of each that changed state. */
export const REPORT_SCRIPT = `${PRELUDE}
local index_key = KEYS[1]
local breaker_keys = { unpack(KEYS, 2) }
local settings = settings_of(
  ARGV[1], -- settings_lines: one line of SETTINGS_WORDS for each kind, parted by ;
  ARGV[2] -- settings_rows: the number of the line that each breaker key goes by
)
local chance_permille = tonumber(ARGV[3]) -- 0 to 999: spreads the times of later probes
local result_lines = { unpack(ARGV, 4) } -- one line of RESULTS_WORDS for each breaker key
local RESULTS_PATTERN = '^${patternOf(RESULTS_WORDS)}$'
local now_ms = now()

local function results_of(line)
  local found = { string.match(line, RESULTS_PATTERN) }
  return { ${recordOf(RESULTS_WORDS)} }
end

local function slot_at(set)
  return math.floor(now_ms / (set.window_ms / ${WINDOW_SLOTS}))
end

local function drop_old_slots(breaker, set)
  local live, current = {}, slot_at(set)
  for _, slot in ipairs(breaker.window) do
    if slot.slot > current - ${WINDOW_SLOTS} and slot.slot <= current then table.insert(live, slot) end
  end
  breaker.window = live
end

local function totals(breaker)
  local requests, failures = 0, 0
  for _, slot in ipairs(breaker.window) do
    requests, failures = requests + slot.requests, failures + slot.failures
  end
  return requests, failures
end

local function join_witness(breaker, results)
  local _, failures = totals(breaker)
  local is_first = breaker.failures_in_a_row == 0 and failures == 0
  if is_first or breaker.witness == results.witness then return results.witness end
  return '${SEVERAL}'
end

local function add_to_totals(breaker, results)
  breaker.requests = breaker.requests + results.failures + results.successes
  breaker.failures = breaker.failures + results.failures
  if results.successes > 0 then
    breaker.failures_in_a_row = results.trailing_failures
  else
    breaker.failures_in_a_row = breaker.failures_in_a_row + results.failures
  end
end

local function count(breaker, results, set)
  drop_old_slots(breaker, set)
  if results.failures > 0 then breaker.witness = join_witness(breaker, results) end
  add_to_totals(breaker, results)
  local last, current = breaker.window[#breaker.window], slot_at(set)
  if not last or last.slot ~= current then
    last = { slot = current, requests = 0, failures = 0 }
    table.insert(breaker.window, last)
  end
  last.requests = last.requests + results.failures + results.successes
  last.failures = last.failures + results.failures
end

-- Only a failure opens.
local function cause_to_open(breaker, results, set)
  if results.failures == 0 then return nil end
  if results.pause_ms > 0 then return 'pause' end
  if set.witnesses > 1 and breaker.witness ~= '${SEVERAL}' then return nil end
  if breaker.failures_in_a_row >= set.failures_in_a_row then return 'failures_in_a_row' end
  local requests, failures = totals(breaker)
  local is_many = failures * 100 >= set.failure_rate_percent * requests
  if requests >= set.minimum_requests and is_many then return 'failure_rate' end
  return nil
end

local function open_ms_after(failed_probes, set)
  if failed_probes == 0 then return set.open_ms end
  local grown_ms = set.open_ms
  for _ = 1, failed_probes do
    if grown_ms >= set.max_open_ms then break end
    grown_ms = math.min(grown_ms * ${OPEN_GROWTH}, set.max_open_ms)
  end
  return math.floor(grown_ms + grown_ms * ${OPEN_JITTER_PERCENT} * chance_permille / 100000)
end

local function open(breaker, cause, results, set)
  breaker.failed_probes = cause == 'failed_probe' and breaker.failed_probes + 1 or 0
  local pause_ms = math.min(results.pause_ms, ${MAX_PAUSE_MS})
  local open_ms = math.max(open_ms_after(breaker.failed_probes, set), pause_ms)
  change(breaker, 'open', now_ms, open_ms)
  breaker.cause, breaker.opened_at_ms = cause, now_ms
  breaker.opened_count = breaker.opened_count + 1
end

-- False for results of another generation, which change nothing.
local function report(breaker, results, set)
  if results.generation ~= breaker.generation then return false end
  if breaker.state == 'closed' then
    count(breaker, results, set)
    local cause = cause_to_open(breaker, results, set)
    if cause then open(breaker, cause, results, set) end
    return true
  end
  if breaker.state ~= 'half_open' then return false end
  add_to_totals(breaker, results)
  if results.failures > 0 then
    open(breaker, 'failed_probe', results, set)
  elseif results.successes > 0 then
    close(breaker, now_ms)
  else
    change(breaker, 'half_open', now_ms, 0)
  end
  return true
end

local changes, listed, has_new = {}, {}, false
for i, line in ipairs(redis.call('MGET', unpack(breaker_keys))) do
  local breaker = decode(line)
  local before = breaker.state
  if report(breaker, results_of(result_lines[i]), settings[i]) then
    local written_line = store(breaker_keys[i], breaker)
    table.insert(listed, rank(breaker, now_ms))
    table.insert(listed, string.sub(breaker_keys[i], ${KEY_PREFIX.length + 1}))
    has_new = has_new or not line
    if breaker.state ~= before then
      table.insert(changes, i)
      table.insert(changes, before)
      table.insert(changes, written_line)
    end
  end
end
if #listed > 0 then redis.call('ZADD', index_key, unpack(listed)) end
if has_new then cut_list(index_key, now_ms) end
return changes
`;

/** Resets or isolates one breaker by hand; answers its line, or nothing where there is none to reset. */
export const STEER_SCRIPT = `${PRELUDE}
local index_key = KEYS[1]
local breaker_key = KEYS[2]
local order = ARGV[1] -- reset or isolate
local scope = string.sub(breaker_key, ${KEY_PREFIX.length + 1})
local now_ms = now()
local line = redis.call('GET', breaker_key)
if order == 'reset' and not line then return false end

local breaker = decode(line)
if order == 'reset' then
  close(breaker, now_ms)
else
  change(breaker, 'isolated', now_ms, 0)
  breaker.cause = 'operator'
end
local written_line = store(breaker_key, breaker)
redis.call('ZADD', index_key, rank(breaker, now_ms), scope)
cut_list(index_key, now_ms)
return written_line
`;

// Patterns and formats are Lua's; number after number is turned by hand, as this is run for each key.
function patternOf(words: readonly string[]): string {
  return words.map((word) => TEXT_WORDS.includes(word) ? "(%S+)" : "(%-?%d+)").join(" ");
}

function formatOf(words: readonly string[]): string {
  return words.map((word) => TEXT_WORDS.includes(word) ? "%s" : "%.0f").join(" ");
}

function recordOf(words: readonly string[]): string {
  const valueOf = (i: number) => `found[${i + 1}]`;
  return words.map((word, i) =>
    `${word} = ${TEXT_WORDS.includes(word) ? valueOf(i) : `tonumber(${valueOf(i)})`}`
  ).join(", ");
}
