-- beat: record a heartbeat of an activity.
-- needs: core batch
-- runs: run activity
--
-- ARGV   now, job id, token, details
-- Reply  {whether the token holds, whether its cancellation is asked}

local now = open(false)
local id, token, details = unpack(args, 2, 4)
local state, held, kind, of, timeouts, created, started, cancel = unpack(call('HMGET',
  job_key(id), 'state', 'token', 'kind', 'run', 'timeouts', 'created', 'started', 'cancel'))
local runs = engine()

if state ~= 'active' or held ~= token or kind ~= 'a' and kind ~= 'd'
  or not runs.is_open(runs.get(of)) then
  return { 0, 0 }
end
call('HSET', job_key(id), 'beat', now, 'details', details)
if timeouts then
  runs.arm_active(id, timeouts, created, started, now)
end
flush(now)
return { 1, cancel and 1 or 0 }
