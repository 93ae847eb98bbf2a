-- list_workers: the processes with a heartbeat in the last day.
-- needs: core
--
-- ARGV   now
-- Reply  {record, seen_at} per process

local DAY_MS = 24 * 60 * 60 * 1000

local now = open(false)
local seen = call('ZRANGEBYSCORE', prefix .. 'seen', now - DAY_MS, '+inf', 'WITHSCORES')
local workers = {}

for i = 1, #seen, 2 do
  workers[#workers + 1] = { call('HGET', prefix .. 'workers', seen[i]), seen[i + 1] }
end
return workers
