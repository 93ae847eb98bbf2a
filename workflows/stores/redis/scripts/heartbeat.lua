-- heartbeat: say that a process lives.
-- needs: core
--
-- ARGV   now, owner, record (opaque), its types {queue, type}... packed
-- Reply  now

local DAY_MS = 24 * 60 * 60 * 1000

local now = open(false)
local owner, record, types = args[2], args[3], args[4]
local function forget_worker(name)
  call('HDEL', prefix .. 'workers', name)
  call('HDEL', prefix .. 'worker_types', name)
  call('ZREM', prefix .. 'seen', name)
end

local old = call('ZRANGEBYSCORE', prefix .. 'seen', '-inf', now - DAY_MS - 1, 'LIMIT', 0, MAX_STEP)
for _, name in ipairs(old) do
  forget_worker(name)
end
call('HSET', prefix .. 'workers', owner, record)
call('HSET', prefix .. 'worker_types', owner, types)
call('ZADD', prefix .. 'seen', now, owner)
return now
