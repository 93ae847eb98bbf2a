-- retry_dead_all: make the oldest dead letters of a queue waiting.
-- needs: core batch job dead
--
-- ARGV   now, queue, limit
-- Reply  {how many, whether more remain}

local now = open(false)
local queue, limit = args[2], args[3]
local failed = state_key('failed', queue)
local ids = call('ZRANGE', failed, 0, limit - 1)

for _, id in ipairs(ids) do
  retry_dead(id, queue, now)
end
flush(now)
return { #ids, call('EXISTS', failed) }
