-- cancel: a pending job at once, an active one by request.
-- needs: core batch job leave
--
-- ARGV   now, job id
-- Reply  'missing', 'owned', 'conflict', 'cancelled' or 'requested'

local now = open(false)
local id = args[2]
local state, kind = unpack(call('HMGET', job_key(id), 'state', 'kind'))

if not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state == 'cancelled' then
  return 'cancelled'
elseif state == 'active' then
  call('HSET', job_key(id), 'cancel', 1)
  return 'requested'
end
local queue, dedup = leave_pending(id)
if not queue then
  return 'conflict'
end
end_job(id, queue, dedup, 'cancelled', now)
count(queue, 'cancelled')
flush(now)
return 'cancelled'
