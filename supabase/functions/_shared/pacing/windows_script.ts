import { PAIR_BURST, PAIR_INTERVAL_MS } from "./pair.ts";
import { MIN_DESERTED_MS } from "./line.ts";
import { COMING_MOMENTS } from "./schedule.ts";

/** Before the name of what a limit or a pair holds for: its key. */
export const KEY_PREFIX = "switchyard:pacing:";
/** What is kept in another format counts as nothing. */
const FORMAT = 1;
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
 * Redis. Each key is read once and written once, a pair only when it changed. Answers the time in milliseconds,
 * then for each message its wait in milliseconds and what holds it back.
 */
// The flag lets Upstash lock the named keys alone. Every number is made one with a fraction, as whole
// ones have 32 bits in some Lua.
export const WINDOWS_SCRIPT = `#!lua flags=allow-key-locking
local unpack = table.unpack or unpack
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local function numbers(line)
  local found = {}
  for word in string.gmatch(line or '', '%S+') do found[#found + 1] = tonumber(word) + 0.0 end
  return found
end

local limit_words = numbers(ARGV[1]) -- six for each limit: ${LIMIT_WORDS.join(", ")}
local asked_words = numbers(ARGV[2]) -- five for each message: its tenant, sender and pair; urgent; deferrals
local limit_count = #limit_words / ${LIMIT_WORDS.length}
local keys = KEYS -- of the limits, in their order, and behind them of the pairs

local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local now_us = now * 1000

-- What went: moments in ascending order, and how many messages in each.
local function read_moments(words, from, to, origin)
  local moments = { at = {}, counts = {}, total = 0 }
  for i = from, to, 2 do
    moments.at[#moments.at + 1] = origin - words[i]
    moments.counts[#moments.counts + 1] = words[i + 1]
    moments.total = moments.total + words[i + 1]
  end
  return moments
end

local function add_moment(moments, at)
  local last = #moments.at
  if last > 0 and moments.at[last] >= at then
    moments.counts[last] = moments.counts[last] + 1
  else
    moments.at[last + 1], moments.counts[last + 1] = at, 1
  end
  moments.total = moments.total + 1
end

local function drop_until(moments, till)
  local at, counts, total = {}, {}, 0
  for i = 1, #moments.at do
    if moments.at[i] > till then
      at[#at + 1], counts[#counts + 1] = moments.at[i], moments.counts[i]
      total = total + moments.counts[i]
    end
  end
  moments.at, moments.counts, moments.total = at, counts, total
end

local function nth_moment(moments, n)
  local i, left = 1, n - moments.counts[1]
  while left > 0 do
    i = i + 1
    left = left - moments.counts[i]
  end
  return moments.at[i]
end

local function read_lines(words, from, origin)
  return {
    first = { last = origin * 1000 + (words[from] or 0), waiting = words[from + 1] or 0 },
    again = { last = origin * 1000 + (words[from + 2] or 0), waiting = words[from + 3] or 0 },
    kept = origin + (words[from + 4] or 0),
  }
end

-- Nobody has come back for two windows: the messages are gone.
local function drop_deserted(lines, window)
  if now <= lines.kept + max(2 * window, ${MIN_DESERTED_MS}) then return end
  lines.first.waiting, lines.again.waiting = 0, 0
end

-- Times are kept as distances from the last change, so that a clock that was put back takes them along.
local function read_state(line, limit)
  local words = numbers(line)
  if words[1] ~= ${FORMAT} then words = { ${FORMAT}, now } end
  local origin = min(words[2], now)
  local urgent_end = 14 + 2 * (words[13] or 0)
  local coming_end = urgent_end + 2 * (words[14] or 0)
  local state = {
    limit = limit,
    lines = { [true] = read_lines(words, 3, origin), [false] = read_lines(words, 8, origin) },
    urgent = read_moments(words, 15, urgent_end, origin),
    coming = read_moments(words, urgent_end + 1, coming_end, origin),
    all = read_moments(words, coming_end + 1, #words, origin),
  }
  drop_until(state.all, now - limit.windowMs)
  drop_until(state.urgent, now - limit.windowMs)
  drop_until(state.coming, now - limit.toleranceMs)
  drop_deserted(state.lines[true], limit.windowMs)
  drop_deserted(state.lines[false], limit.windowMs)
  return state
end

local function write_state(key, state)
  local words, longest = { ${FORMAT}, now }, 0
  for _, lines in ipairs({ state.lines[true], state.lines[false] }) do
    for _, line in ipairs({ lines.first, lines.again }) do
      words[#words + 1], words[#words + 2] = line.last - now_us, line.waiting
      if line.waiting > 0 then longest = max(longest, line.last / 1000 - now) end
    end
    words[#words + 1] = lines.kept - now
  end
  words[#words + 1], words[#words + 2] = #state.urgent.at, #state.coming.at
  for _, moments in ipairs({ state.urgent, state.coming, state.all }) do
    for i = 1, #moments.at do
      words[#words + 1], words[#words + 2] = now - moments.at[i], moments.counts[i]
    end
  end
  for i = 1, #words do words[i] = string.format('%.0f', words[i]) end
  local keep = ceil(longest) + state.limit.windowMs + ${KEEP_MS}
  redis.call('SET', key, table.concat(words, ' '), 'PX', string.format('%.0f', keep))
end

local function read_pair(line)
  local words = numbers(line)
  local burst_at = words[1] or 0
  return { burst_at = min(burst_at, now), count = words[2] or 0, changed = burst_at > now }
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
  local line = string.format('%.0f %.0f', pair.burst_at, pair.count)
  local keep = string.format('%.0f', paid_back_at(pair) - now + ${KEEP_MS})
  redis.call('SET', key, line, 'PX', keep)
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

local function step_us(limit, pace)
  return ceil((limit.windowMs + limit.toleranceMs) * 1000 / pace)
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
  return ahead <= 0 and 0 or min(line.waiting, ceil(ahead / step))
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
    local grid = ceil(limit.windowMs / ${COMING_MOMENTS})
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
