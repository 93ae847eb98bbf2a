-- core: what every script begins with. Arguments, keys, the clock, the mode.
--
-- KEYS[1]  the prefix of every key, "{namespace}:"
-- ARGV[1]  the arguments as one msgpack array; its first element is the test clock's
--          reading in ms, or nil on a namespace that runs on real time
--
-- A script error does not roll back what was written. So every script reads and checks
-- first and writes last, and none can fail between two writes.

local call = redis.call
local prefix = KEYS[1]
local args = cmsgpack.unpack(ARGV[1])

local FORMAT = '1' -- of the keys; a newer one is refused
local MAX_STEP = 1000
local MAX_DUE = 250
local REQUEST_MEMORY_MS = 15 * 60 * 1000
local TEST_SLACK_MS = 60 * 60 * 1000 -- real time must not outrun a standing test clock

-- What only workflow runs need (a script's line `runs`) is made when a script first asks
-- for it: to make a function costs the server as much as a small command, and most calls
-- need none of these.
local load_runs, loaded_runs

local function engine()
  loaded_runs = loaded_runs or load_runs()
  return loaded_runs
end

-- Names may hold any character: two of them in one key need a length between them.
local function pair(first, second)
  return #first .. ':' .. first .. ':' .. second
end

local function job_key(id)
  return prefix .. 'job:' .. id
end

local function queue_key(queue)
  return prefix .. 'queue:' .. queue
end

-- The jobs of a queue in one state: active by lease end, ended ones by when they ended.
local function state_key(state, queue)
  return prefix .. state .. ':' .. queue
end

local function waiting_key(queue, type)
  return prefix .. 'waiting:' .. pair(queue, type)
end

local function delayed_key(queue, type)
  return prefix .. 'delayed:' .. pair(queue, type)
end

-- Waiting jobs that stalled before: granted with care, so they stand apart.
local function suspect_key(queue, type)
  return prefix .. 'suspect:' .. pair(queue, type)
end

-- Time never goes backwards and never stands still: workflows/engine/clock.py.
local function advance(now, wall, reading)
  if reading < wall then
    return now, reading
  end
  local step = math.floor((reading - wall) / 2)
  if reading >= now + step then
    return reading, reading
  end
  return now + step, wall + 2 * step
end

local function server_time()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local WANTED_MODE = args[1] and 'test' or 'live'

local function check_namespace(format, mode)
  if mode and format ~= FORMAT then
    error('REFUSED: its keys have the format ' .. tostring(format) .. ', not ' .. FORMAT, 0)
  elseif mode and mode ~= WANTED_MODE then
    error('REFUSED: it was created in ' .. mode .. ' mode; this store is in '
      .. WANTED_MODE .. ' mode', 0)
  end
end

-- Open the namespace and return the store's time. At the server's memory limit the
-- first write decides: a growing command fails there, before anything was changed; but
-- once a script has written, all its commands pass. So what must work at the limit
-- begins with a command that cannot grow.
local function open(grows)
  local meta = call('HMGET', prefix .. 'meta', 'format', 'mode', 'now', 'wall')
  local last, last_wall = tonumber(meta[3]) or 0, tonumber(meta[4]) or 0
  check_namespace(meta[1], meta[2])
  if not grows then
    call('DEL', prefix .. 'room')
  end
  if not meta[2] then
    call('HSET', prefix .. 'meta', 'format', FORMAT, 'mode', WANTED_MODE)
  end
  local now, wall = advance(last, last_wall, args[1] or server_time())
  if now ~= last or wall ~= last_wall then
    call('HSET', prefix .. 'meta', 'now', now, 'wall', wall)
  end
  return now
end

-- Keep a key for `ttl` ms. Its value begins with its deadline, which counts by the
-- store's own time; the server's expiry only takes away what is past it.
local function remember(key, value, now, ttl)
  local px = args[1] and ttl + TEST_SLACK_MS or ttl
  call('SET', key, string.format('%016d', now + ttl) .. value, 'PX', px)
end

local function recall(key, now)
  local kept = call('GET', key)
  if kept and tonumber(kept:sub(1, 16)) >= now then
    return kept:sub(17)
  end
  return nil
end
