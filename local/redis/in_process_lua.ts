import { RedisError } from "./redis.ts";

/**
 * Makes a script behave as in Redis when it runs under ioredis-mock: missing values are false,
 * options of SET are known in lower case, redis.error_reply() and redis.status_reply() exist, errors keep their message, and the answer
 * comes back as JSON for decodeReply().
 */
export function wrapScript(script: string): string {
  return `${PRELUDE}\nreturn __answer(function()\n${script}\nend)`;
}

/** Turns what a wrapped script returned into a reply; throws the RedisError that it returned. */
export function decodeReply(json: string): unknown {
  const reply: unknown = JSON.parse(json);
  if (typeof reply === "object" && reply !== null && "err" in reply) {
    throw new RedisError(String(reply.err));
  }
  return reply;
}

// Whole numbers of this Lua have 32 bits and would wrap in the usual seconds * 1000, so that TIME
// hands out its seconds as a number with a fraction.
const PRELUDE = `
local raw = redis.call
local function plain(value)
  if type(value) ~= "userdata" then return value end
  local text = tostring(value)
  if text == "null" or text == "undefined" then return false end
  local copy = {}
  for i = 1, #value do copy[i] = plain(value[i]) end
  return copy
end
redis.call = function(name, ...)
  local args = { ... }
  if string.upper(name) == "SET" then
    for i = 3, #args do args[i] = string.upper(args[i]) end
  end
  local reply = plain(raw(name, table.unpack(args)))
  if string.upper(name) == "TIME" then reply[1] = reply[1] .. ".0" end
  return reply
end
local function message(err)
  if type(err) == "table" then return err.err end
  return (string.gsub(tostring(err), "^%a*Error: ", ""))
end
redis.pcall = function(...)
  local ok, reply = pcall(redis.call, ...)
  if ok then return reply end
  return { err = message(reply) }
end
redis.error_reply = function(text) return { err = text } end
redis.status_reply = function(text) return { ok = text } end
redis.log = function() end
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.replicate_commands = function() return true end
local function quote(text)
  return '"' .. string.gsub(text, '[%c"\\\\]', function(c)
    return string.format("\\\\u%04x", string.byte(c))
  end) .. '"'
end
local function encode(value)
  local kind = type(value)
  if kind == "number" then return string.format("%.0f", value < 0 and math.ceil(value) or math.floor(value)) end
  if kind == "string" then return quote(value) end
  if value == true then return "1" end
  if kind ~= "table" then return "null" end
  if value.err then return '{"err":' .. quote(value.err) .. '}' end
  if value.ok then return quote(value.ok) end
  local items, i = {}, 1
  while value[i] ~= nil do
    items[i] = encode(value[i])
    i = i + 1
  end
  return "[" .. table.concat(items, ",") .. "]"
end
function __answer(script)
  local ok, reply = pcall(script)
  if ok then return encode(reply) end
  return encode({ err = message(reply) })
end`;
