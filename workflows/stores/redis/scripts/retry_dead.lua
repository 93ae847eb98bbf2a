-- retry_dead: make one dead letter waiting.
-- needs: core batch job dead
--
-- ARGV   now, job id
-- Reply  'missing', 'conflict' or 'waiting'

local now = open(false)
local state, queue = unpack(call('HMGET', job_key(args[2]), 'state', 'queue'))

if not state then
  return 'missing'
elseif state ~= 'failed' then
  return 'conflict'
end
retry_dead(args[2], queue, now)
flush(now)
return 'waiting'
