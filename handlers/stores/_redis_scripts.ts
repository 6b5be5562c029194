/**
 * What Redis does in one piece. Each script may be run twice, or late, after
 * its caller has given it up and asked again: then it changes nothing.
 *
 * A session is a hash (`KEYS[1]`) and a list of the messages that wait
 * (`KEYS[2]`). Numbers are written as they came: Lua would round them.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** A script, and the name that Redis knows it by once it has run it. */
export interface RedisScript {
  readonly source: string;
  readonly sha1: string;
}

/** The version of what is kept. */
export const REDIS_VERSION = "1";
/** What {@linkcode CREATE} finds where something is that is no session. */
export const UNUSABLE = "?";
/** The fields of a session, in the order in which {@linkcode READ} and {@linkcode CLAIM} give them. */
export const FIELDS = ["version", "claim", "id", "token", "links", "received", "acknowledged", "last", "at"];

/** So many arguments at once: Lua's stack ends at about 8,000. */
const PUSH_MESSAGES = `
local function push(from)
  for i = from, #ARGV, 1000 do
    redis.call('RPUSH', KEYS[2], unpack(ARGV, i, math.min(i + 999, #ARGV)))
  end
end
`;

const EXPIRE = `
local function keep(ms)
  redis.call('PEXPIRE', KEYS[1], ms)
  redis.call('PEXPIRE', KEYS[2], ms)
end
`;

const FIELD_NAMES = FIELDS.map((field) => `'${field}'`).join(", ");

/**
 * `ARGV`: version, the new claim, the claim that is expected ('' none, '?' no
 * session), ms to keep, the fields from `id` on, messages.
 *
 * @returns The claim that is there now: the new one if it was created.
 */
export const CREATE: RedisScript = script(`${PUSH_MESSAGES}${EXPIRE}
local kind = redis.call('TYPE', KEYS[1]).ok
local now = ''
if kind == 'hash' then
  local found = redis.call('HMGET', KEYS[1], 'version', 'claim')
  now = found[1] == ARGV[1] and found[2] or '${UNUSABLE}'
elseif kind ~= 'none' then
  now = '${UNUSABLE}'
end
if now == ARGV[2] or now ~= ARGV[3] then return now end
-- Redis asks for memory only before the first write.
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then redis.call('DEL', KEYS[1], KEYS[2]) end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'claim', ARGV[2], 'id', ARGV[5], 'token', ARGV[6], 'links', ARGV[7],
  'received', ARGV[8], 'acknowledged', ARGV[9], 'last', ARGV[10], 'at', ARGV[11])
push(12)
keep(ARGV[4])
return ARGV[2]
`);

/** @returns `[]` where nothing is; the kind where it is no hash; or `hash`, how many messages wait, and the fields. */
export const READ: RedisScript = script(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {} end
if kind ~= 'hash' then return {kind} end
local waiting = redis.pcall('LLEN', KEYS[2])
if type(waiting) == 'table' then waiting = -1 end
return {kind, tostring(waiting), unpack(redis.call('HMGET', KEYS[1], ${FIELD_NAMES}))}
`);

/**
 * `ARGV`: version, the claim and the links that were read, the new claim, ms
 * to keep.
 *
 * @returns `[]` if it is another one's by now; or the fields, and the messages.
 */
export const CLAIM: RedisScript = script(`${EXPIRE}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {} end
local found = redis.call('HMGET', KEYS[1], 'version', 'claim', 'links')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] or found[3] ~= ARGV[3] then return {} end
local messages = redis.call('LRANGE', KEYS[2], 0, -1)
redis.call('HSET', KEYS[1], 'claim', ARGV[4])
keep(ARGV[5])
return {redis.call('HMGET', KEYS[1], ${FIELD_NAMES}), messages}
`);

/**
 * `ARGV`: version, claim, the number of the first message here, ms to keep,
 * links, received, acknowledged, last, at, messages.
 *
 * @returns `kept`, `taken`, or `lost`: Redis has forgotten what it had kept, and now all of it.
 */
export const UPDATE: RedisScript = script(`${PUSH_MESSAGES}${EXPIRE}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'taken' end
local found = redis.call('HMGET', KEYS[1], 'version', 'claim', 'links', 'received', 'acknowledged', 'last')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return 'taken' end
local first, acknowledged, last = tonumber(ARGV[3]), tonumber(found[5]), tonumber(found[6])
local waiting = redis.pcall('LLEN', KEYS[2])
if not acknowledged or not last or waiting ~= last - acknowledged or last < first - 1 then
  redis.call('DEL', KEYS[1], KEYS[2])
  return 'lost'
end
local function later(old, new)
  return (tonumber(old) or -1) > tonumber(new) and old or new
end
push(10 + last - first + 1)
local done = later(found[5], ARGV[7])
if done ~= found[5] then redis.call('LTRIM', KEYS[2], tonumber(done) - acknowledged, -1) end
redis.call('HSET', KEYS[1], 'links', later(found[3], ARGV[5]), 'received', later(found[4], ARGV[6]),
  'acknowledged', done, 'last', later(found[6], ARGV[8]), 'at', ARGV[9])
keep(ARGV[4])
return 'kept'
`);

/** `ARGV`: version, claim. */
export const REMOVE: RedisScript = script(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 0 end
local found = redis.call('HMGET', KEYS[1], 'version', 'claim')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])
`);

/** The text under `KEYS[1]`; `?` if it is none. */
export const GET_TEXT: RedisScript = script(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return false end
return kind == 'string' and redis.call('GET', KEYS[1]) or '${UNUSABLE}'
`);

/** `ARGV`: the text, ms to keep. */
export const SET_TEXT: RedisScript = script(`return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`);

/** Counts up from 1. */
export const COUNT: RedisScript = script(`return redis.call('INCR', KEYS[1])`);

/** Finds out whether Redis is there, and takes writes: one that has become a replica is of no use. */
export const PROBE: RedisScript = script(`return redis.call('SET', KEYS[1], '1', 'PX', 60000)`);

function script(source: string): RedisScript {
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}
