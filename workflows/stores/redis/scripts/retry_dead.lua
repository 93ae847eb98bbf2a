-- retry_dead: make one dead letter waiting.
-- needs: core once batch job dead
--
-- ARGV   now, job id, call
-- Reply  'missing', 'owned', 'conflict' or 'waiting'

local now = open(false)
local state, queue, kind = unpack(call('HMGET', job_key(args[2]), 'state', 'queue', 'kind'))

if answered(args[3], now) then
  return 'waiting'
elseif not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state ~= 'failed' then
  return 'conflict'
end
retry_dead(args[2], queue, now)
flush(now)
return answer(args[3], 'waiting', now)
