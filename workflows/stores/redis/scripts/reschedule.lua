-- reschedule: give a pending job a new due time and place; promote: make it waiting now.
-- needs: core once batch job leave
--
-- ARGV   now, job id, delay_ms, run_at or nil, only delayed jobs?, call
-- Reply  'missing', 'owned', 'conflict', 'waiting' or 'delayed'

local now = open(false)
local id, only_delayed, call_id = args[2], args[5], args[6]
local state, type, priority, stalls, expires, kind =
  unpack(call('HMGET', job_key(id), 'state', 'type', 'priority', 'stalls', 'expires', 'kind'))

local before = answered(call_id, now)
if before then
  return before[1]
elseif not state then
  return 'missing'
elseif kind then
  return 'owned'
elseif state ~= 'delayed' and (only_delayed or state ~= 'waiting') then
  return 'conflict'
end
local queue = leave_pending(id)
flush_sets()
local due, place = due_time(args[3], args[4], now), next_place()
state = due and 'delayed' or 'waiting'
call('HSET', job_key(id), 'state', state, 'place', place, 'ready', due or now)
if expires then
  zadd(prefix .. 'expiring', expires, id)
end
if due then
  enter_delayed(id, queue, type, due, place)
else
  enter_waiting(id, queue, type, priority, place, stalls)
end
flush(now)
return answer(call_id, state, now)
