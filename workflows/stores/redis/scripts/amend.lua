-- amend: change the payload or the priority of a pending job or a dead letter.
-- needs: core once batch job
--
-- ARGV   now, job id, payload or nil, priority or nil, call
-- Reply  'missing', 'owned', 'conflict' or 'amended'

local now = open(false)
local id, payload, priority, call_id = unpack(args, 2, 5)
local state, queue, type, place, stalls, kind =
  unpack(call('HMGET', job_key(id), 'state', 'queue', 'type', 'place', 'stalls', 'kind'))

if answered(call_id, now) then
  return 'amended'
elseif not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state ~= 'waiting' and state ~= 'delayed' and state ~= 'failed' then
  return 'conflict'
end
if payload then
  call('HSET', job_key(id), 'payload', payload)
end
if priority then
  call('HSET', job_key(id), 'priority', priority)
  if state == 'waiting' then
    zadd(pending_key(queue, type, stalls), priority, place .. id)
  end
end
flush(now)
return answer(call_id, 'amended', now)
