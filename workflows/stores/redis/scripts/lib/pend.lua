-- pend: a pending job gets a new due time and place.
-- needs: core batch job leave

-- Returns the state that it is in now.
local function put_off(id, delay_ms, run_at, now)
  local queue = leave_pending(id)
  flush_sets()
  local type, priority, stalls, expires =
    unpack(call('HMGET', job_key(id), 'type', 'priority', 'stalls', 'expires'))
  local due, place = due_time(delay_ms, run_at, now), next_place()
  local state = due and 'delayed' or 'waiting'
  call('HSET', job_key(id), 'state', state, 'place', place, 'ready', due or now)
  if expires then
    zadd(prefix .. 'expiring', expires, id)
  end
  if due then
    enter_delayed(id, queue, type, due, place)
  else
    enter_waiting(id, queue, type, priority, place, stalls)
  end
  return state
end
