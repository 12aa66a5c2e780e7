import { MIN_DESERTED_MS } from "./line.ts";
import { PAIR_BURST, PAIR_INTERVAL_MS } from "./pair.ts";
import { COMING_MOMENTS } from "./schedule.ts";

/** Before the name of what a limit or a pair holds for: its key. */
export const KEY_PREFIX = "switchyard:pacing:";
/** What is kept in another format counts as nothing. */
const FORMAT = 2;
const STATE_PATTERN = `^${FORMAT} (%d+) (%d+);([^;]*);([^;]*);([^;]*);([^;]*)$`;
/** What is kept outlives its use by this much. */
const KEEP_MS = 1_000;

/** The words of one limit, as the script reads them. */
export const LIMIT_WORDS = [
  "capacity",
  "others",
  "urgentShare",
  "windowMs",
  "toleranceMs",
  "resolutionMs",
] as const;

/** What holds a message back, by its number in the script's answer, in which 0 is nothing. */
export const HOLDERS = ["tenant", "sender", "pair"] as const;

/**
 * Decides on a claim of messages in one go: the rules of schedule.ts, line by line, on the clock of
 * Redis. Each key is read once and written once, a pair only when it changed. Answers the time in
 * milliseconds, then for each message its wait in milliseconds and what holds it back. The flag lets
 * Upstash lock the named keys alone.
 */
export const WINDOWS_SCRIPT = `#!lua flags=allow-key-locking
local unpack = table.unpack or unpack
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local match, sub = string.match, string.sub

-- Made numbers with a fraction, as whole ones have 32 bits in some Lua.
local function numbers(line)
  local found = {}
  for word in string.gmatch(line, '%S+') do found[#found + 1] = tonumber(word) + 0.0 end
  return found
end

local function written(number)
  return string.format('%.0f', number)
end

local limit_words = numbers(ARGV[1]) -- six for each limit: ${LIMIT_WORDS.join(", ")}
local asked_words = numbers(ARGV[2]) -- five for each message: its tenant, sender and pair; urgent; deferrals
local limit_count = #limit_words / ${LIMIT_WORDS.length}
local keys = KEYS -- of the limits, in their order, and behind them of the pairs

local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local now_us = now * 1000

-- Moments in ascending order, each with how many messages: a text of which only the beginning is read,
-- as far as it has left the window. The last one stands apart, so that adding to it reads nothing. They
-- are counted from the first one's, which keeps the text short.
local function read_moments(section, till, back)
  local origin, total, last_at, last_count, text = match(section, '^(%d+) (%d+) (%d+) (%d+) (.*)')
  if not origin then return { total = 0, text = '' } end
  origin = origin - back
  local moments = { origin = origin, total = 0, last_at = origin + last_at, text = '' }
  if moments.last_at <= till then return moments end
  local from = 1
  while true do
    local at, count, following = match(text, '^(%d+):(%d+) ()', from)
    if not at or origin + at > till then break end
    total, from = total - count, following
  end
  moments.total, moments.last_count = tonumber(total), tonumber(last_count)
  moments.text = from == 1 and text or sub(text, from)
  return moments
end

local function write_moments(moments)
  if moments.total == 0 then return '' end
  local words = {
    written(moments.origin), written(moments.total), written(moments.last_at - moments.origin),
    written(moments.last_count), moments.text,
  }
  return table.concat(words, ' ')
end

local function add_moment(moments, at)
  moments.total = moments.total + 1
  if moments.total == 1 then
    moments.origin, moments.last_at, moments.last_count = at, at, 1
  elseif moments.last_at >= at then
    moments.last_count = moments.last_count + 1
  else
    local last = written(moments.last_at - moments.origin) .. ':' .. written(moments.last_count)
    moments.text = moments.text .. last .. ' '
    moments.last_at, moments.last_count = at, 1
  end
end

-- It is mostly asked for one message after the other, and goes on from where it was.
local function nth_moment(moments, n)
  local before, from = 0, 1
  if moments.found and moments.found.before < n then
    before, from = moments.found.before, moments.found.from
  end
  while true do
    local at, count, following = match(moments.text, '^(%d+):(%d+) ()', from)
    if not at then return moments.last_at end
    if before + count >= n then
      moments.found = { before = before, from = from }
      return moments.origin + at
    end
    before, from = before + count, following
  end
end

local function new_lines()
  return { first = { last = 0, waiting = 0 }, again = { last = 0, waiting = 0 }, kept = 0 }
end

local function step_us(limit, pace)
  return ceil((limit.windowMs + limit.toleranceMs) * 1000 / pace)
end

-- A limit that was changed moves its lines at its new pace.
local function paced(last, before, step)
  local ahead = last - now_us
  if ahead <= 0 or before == step then return last end
  return now_us + floor(ahead * step / before)
end

local function read_lines(words, from, back, window, before, step)
  local lines = {
    first = { last = paced(words[from] - back * 1000, before, step), waiting = words[from + 1] },
    again = { last = paced(words[from + 2] - back * 1000, before, step), waiting = words[from + 3] },
    kept = words[from + 4] - back,
  }
  -- Nobody has come back for two windows: the messages are gone.
  if now > lines.kept + max(2 * window, ${MIN_DESERTED_MS}) then
    lines.first.waiting, lines.again.waiting = 0, 0
  end
  return lines
end

-- A clock that was put back takes what it timed with it: what went stays as recent as it was.
local function read_state(line, limit)
  local touched, before, lines, urgent, coming, all = match(line or '', '${STATE_PATTERN}')
  local back = max(0, (touched or now) - now)
  local words, window = numbers(lines or ''), limit.windowMs
  local has_lines, step = #words > 0, step_us(limit, limit.capacity)
  before = tonumber(before or step) + 0.0
  return {
    limit = limit,
    step = step,
    lines = {
      [true] = has_lines and read_lines(words, 1, back, window, before, step) or new_lines(),
      [false] = has_lines and read_lines(words, 6, back, window, before, step) or new_lines(),
    },
    urgent = read_moments(urgent or '', now - window, back),
    coming = read_moments(coming or '', now - limit.toleranceMs, back),
    all = read_moments(all or '', now - window, back),
  }
end

-- Lines in which nobody waits are left out.
local function write_lines(state)
  local words, last = {}, nil
  for _, lines in ipairs({ state.lines[true], state.lines[false] }) do
    for _, line in ipairs({ lines.first, lines.again }) do
      words[#words + 1], words[#words + 2] = line.last, line.waiting
      if line.waiting > 0 then last = max(last or 0, line.last) end
    end
    words[#words + 1] = lines.kept
  end
  if not last then return '', 0 end
  for i = 1, #words do words[i] = written(words[i]) end
  return table.concat(words, ' '), ceil(last / 1000) - now
end

local function write_state(key, state)
  local lines, longest = write_lines(state)
  local sections = {
    '${FORMAT} ' .. written(now) .. ' ' .. written(state.step), lines,
    write_moments(state.urgent), write_moments(state.coming), write_moments(state.all),
  }
  local keep = max(0, longest) + state.limit.windowMs + ${KEEP_MS}
  redis.call('SET', key, table.concat(sections, ';'), 'PX', written(keep))
end

local function read_pair(line)
  local burst_at, count = match(line or '0 0', '^(%d+) (%d+)$')
  burst_at = burst_at + 0.0
  return { burst_at = min(burst_at, now), count = tonumber(count), changed = burst_at > now }
end

local function paid_back_at(pair)
  return pair.count == 0 and 0 or pair.burst_at + pair.count * ${PAIR_INTERVAL_MS}
end

local function pair_moment(pair)
  local in_burst = now < pair.burst_at + ${PAIR_INTERVAL_MS} and pair.count < ${PAIR_BURST}
  return in_burst and now or max(now, paid_back_at(pair))
end

local function count_in_pair(pair)
  if pair.count == 0 or now >= paid_back_at(pair) then pair.burst_at, pair.count = now, 0 end
  pair.count = pair.count + 1
  pair.changed = true
end

local function write_pair(key, pair)
  local line = written(pair.burst_at) .. ' ' .. written(pair.count)
  redis.call('SET', key, line, 'PX', written(paid_back_at(pair) - now + ${KEEP_MS}))
end

local function gates_of(state, is_urgent, deferrals)
  local limit = state.limit
  if not is_urgent then
    local coming = deferrals == 0 and state.coming.total or 0
    local pace = max(1, limit.others - state.urgent.total)
    return { { moments = state.all, coming = coming, capacity = limit.others, pace = pace } }
  end
  local capacity, share = limit.capacity, limit.urgentShare
  return {
    { moments = state.all, coming = 0, capacity = capacity, pace = capacity },
    { moments = state.urgent, coming = 0, capacity = share, pace = share },
  }
end

local function next_place(limit, gate, waiting, last)
  local excess = gate.moments.total + gate.coming + waiting + 1 - gate.capacity
  local leaving = min(gate.moments.total, excess)
  local at = now_us
  if leaving > 0 then
    local left_at = nth_moment(gate.moments, leaving)
    at = max(at, (left_at + limit.windowMs + limit.toleranceMs) * 1000)
  end
  if waiting > 0 then at = max(at, last + step_us(limit, gate.pace)) end
  return at
end

local function count_waiting(line, step, tolerance)
  local ahead = line.last + tolerance - now_us
  if ahead <= 0 then line.waiting = 0 end
  return min(line.waiting, ceil(max(0, ahead) / step))
end

local function has_room(gates, ahead)
  for _, gate in ipairs(gates) do
    if gate.moments.total + gate.coming + ahead < gate.capacity then return true end
  end
  return false
end

local function find_place(state, is_urgent, deferrals)
  local limit, lines = state.limit, state.lines[is_urgent]
  local gates = gates_of(state, is_urgent, deferrals)
  local step, tolerance = step_us(limit, gates[1].pace), limit.toleranceMs * 1000
  local first = count_waiting(lines.first, step, tolerance)
  local again = count_waiting(lines.again, step, tolerance)
  local is_new = deferrals == 0
  local has_turn, ahead = not is_new or first + again == 0, deferrals == 1 and again or 0
  local place = { state = state, lines = lines, is_first = first + again == 0, at = now_us }
  if is_new then
    place.line, place.waiting = lines.first, first
  else
    place.line, place.waiting = lines.again, again
    lines.kept = max(lines.kept, now)
  end
  if has_turn and has_room(gates, ahead) then return place end
  local waiting, last = again, lines.again.last
  if is_new then waiting, last = first + again, max(lines.first.last, lines.again.last) end
  place.at = next_place(limit, gates[#gates], waiting, last)
  if is_new then place.at = min(place.at, next_place(limit, gates[1], waiting, last)) end
  return place
end

local function count(state, is_urgent)
  local at = ceil(now / state.limit.resolutionMs) * state.limit.resolutionMs
  add_moment(state.all, at)
  if is_urgent then add_moment(state.urgent, at) end
end

local function keep_place(place, at)
  local state, lines, line = place.state, place.lines, place.line
  local limit = state.limit
  if at - place.at >= limit.windowMs * 1000 then return end
  if place.at > now_us then
    if place.is_first then lines.kept = max(lines.kept, ceil(place.at / 1000)) end
    line.last, line.waiting = place.at, place.waiting + 1
  else
    local grid = ceil(limit.windowMs / ${COMING_MOMENTS}) + 0.0
    add_moment(state.coming, ceil(at / 1000 / grid) * grid)
  end
end

local function decide(tenant, sender, pair, is_urgent, deferrals)
  local at_tenant = find_place(tenant, is_urgent, deferrals)
  local at_sender = find_place(sender, is_urgent, deferrals)
  local at = max(at_tenant.at, at_sender.at, pair_moment(pair) * 1000)
  if at <= now_us then
    count(tenant, is_urgent)
    count(sender, is_urgent)
    count_in_pair(pair)
    return 0, 0
  end
  keep_place(at_tenant, at)
  keep_place(at_sender, at)
  local holder = at_tenant.at == at and 1 or at_sender.at == at and 2 or 3
  return ceil(at / 1000) - now, holder
end

local states, pairs_known = {}, {}
for i, line in ipairs(redis.call('MGET', unpack(keys))) do
  if i <= limit_count then
    local limit = {}
    for j, name in ipairs({ ${LIMIT_WORDS.map((word) => `'${word}'`).join(", ")} }) do
      limit[name] = limit_words[(i - 1) * ${LIMIT_WORDS.length} + j]
    end
    states[i] = read_state(line, limit)
  else
    pairs_known[i - limit_count] = read_pair(line)
  end
end

local answer = { now }
for i = 1, #asked_words, 5 do
  local tenant, sender = states[asked_words[i]], states[asked_words[i + 1]]
  local pair, is_urgent = pairs_known[asked_words[i + 2]], asked_words[i + 3] == 1
  local wait, holder = decide(tenant, sender, pair, is_urgent, asked_words[i + 4])
  answer[#answer + 1], answer[#answer + 2] = wait, holder
end

for i, key in ipairs(keys) do
  local state, pair = states[i], pairs_known[i - limit_count]
  if state then write_state(key, state) end
  if pair and pair.changed then write_pair(key, pair) end
end
return answer
`;
