-- batch: writes that a script gathers per key and sends together at its end.
-- needs: core

local added, removed = {}, {}
local done = {}
local totals, minutes = {}, {}
local woken = {}

local ARGUMENTS = 4000 -- of one command; Lua's stack holds 8000
local MINUTES_KEPT = 2 * 24 * 60
local WAKE_MS = 10000 -- an unheard wake does not stay

local function gather(lists, key, value)
  local list = lists[key]
  if list then
    list[#list + 1] = value
  else
    lists[key] = { value }
  end
end

local function zadd(key, score, member)
  local list = added[key]
  if list then
    local n = #list
    list[n + 1], list[n + 2] = score, member
  else
    added[key] = { score, member }
  end
end

local function zrem(key, member)
  gather(removed, key, member)
end

-- A token settled a job, but the job's hash does not say so (any more).
local function remember_done(token, id)
  gather(done, prefix .. 'done:' .. token, id)
end

local function send(command, lists)
  for key, list in pairs(lists) do
    for first = 1, #list, ARGUMENTS do
      call(command, key, unpack(list, first, math.min(first + ARGUMENTS - 1, #list)))
    end
    lists[key] = nil
  end
end

local function flush_sets()
  send('ZREM', removed)
  send('ZADD', added)
  for key, ids in pairs(done) do
    call('SADD', key, unpack(ids))
    call('PEXPIRE', key, REQUEST_MEMORY_MS)
    done[key] = nil
  end
end

-- -- counters -------------------------------------------------------------------------

local function count_in(counters, queue, name, amount)
  local names = counters[queue]
  if not names then
    names = {}
    counters[queue] = names
  end
  names[name] = (names[name] or 0) + (amount or 1)
end

-- Count in the totals of a queue, and in its minute.
local function count(queue, name, amount)
  count_in(totals, queue, name, amount)
  count_in(minutes, queue, name, amount)
end

local function flush_minute(queue, names, minute)
  local key, fresh = prefix .. 'minute:' .. minute .. ':' .. queue, false
  for name, amount in pairs(names) do
    fresh = call('HINCRBY', key, name, amount) == amount or fresh
  end
  if fresh then -- the first of its kind in this minute, perhaps the first of all
    local index = prefix .. 'minutes:' .. queue
    call('EXPIRE', key, MINUTES_KEPT * 60)
    call('ZADD', index, minute, minute)
    call('ZREMRANGEBYSCORE', index, '-inf', minute - MINUTES_KEPT)
  end
end

local function flush_counts(now)
  for queue, names in pairs(totals) do
    for name, amount in pairs(names) do
      call('HINCRBY', prefix .. 'totals:' .. queue, name, amount)
    end
    totals[queue] = nil
  end
  local minute = math.floor(now / 60000)
  for queue, names in pairs(minutes) do
    flush_minute(queue, names, minute)
    minutes[queue] = nil
  end
end

-- -- wake-ups ---------------------------------------------------------------------------

local function wake_key(queue, type)
  return prefix .. 'wake:' .. pair(queue, type)
end

local function wake(queue, type)
  woken[wake_key(queue, type)] = true
end

-- A list holds one token at most: it says "look", not how many. Being only a hint, it
-- must not make a script fail at its end.
local function flush_wakes()
  for key in pairs(woken) do
    if redis.pcall('LLEN', key) == 0 then
      redis.pcall('RPUSH', key, 1)
      redis.pcall('PEXPIRE', key, WAKE_MS)
    end
  end
end

-- Who waits for one thing (watch.lua) has a list of its own. A hint, as above.
local anyone

local function notify(name)
  if anyone == nil then
    anyone = call('EXISTS', prefix .. 'watched') == 1
  end
  for _, list in ipairs(anyone and call('SMEMBERS', prefix .. name) or {}) do
    redis.pcall('RPUSH', list, 1)
    redis.pcall('PEXPIRE', list, WAKE_MS)
  end
end

local function flush(now)
  if loaded_runs then
    loaded_runs.flush()
  end
  flush_sets()
  flush_counts(now)
  flush_wakes()
end
