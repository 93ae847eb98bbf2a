-- due: jobs and timers whose time has come.
-- needs: core batch job leave
-- runs: run inbox task timer

-- Fire due timers of runs. Returns how many.
local function fire_timers(now, limit)
  local due = call('ZRANGEBYSCORE', prefix .. 'timers', '-inf', now, 'LIMIT', 0, limit)
  return #due > 0 and engine().fire(due, now) or 0
end

-- Make due delayed jobs waiting, in order of (run_at, place). Returns how many.
local function promote_due(now, limit)
  local due = call('ZRANGEBYSCORE', prefix .. 'due', '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  if #due == 0 then
    return 0
  end
  local place = next_places(#due / 2)
  for i = 1, #due, 2 do
    local old, id = due[i]:sub(1, 16), due[i]:sub(17)
    local new = as_place(place + (i + 1) / 2)
    local queue, type, priority, stalls =
      unpack(call('HMGET', job_key(id), 'queue', 'type', 'priority', 'stalls'))
    call('HSET', job_key(id), 'state', 'waiting', 'place', new)
    leave_delayed(id, queue, type, old)
    enter_waiting(id, queue, type, priority, new, stalls)
  end
  return #due / 2
end

-- End waiting and delayed jobs whose `expires_at` has come. Returns how many.
local function expire_due(now, limit)
  local ids = call('ZRANGEBYSCORE', prefix .. 'expiring', '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local queue, dedup, kind = leave_pending(id)
    if kind then
      engine().expire(id, queue, dedup, kind, now)
    else
      end_job(id, queue, dedup, 'expired', now)
    end
    count(queue, 'expired')
  end
  return #ids
end

-- In how many ms the first job of a set of delayed ones is due; nil if there is none.
local function next_due(key, now)
  local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and math.max(0, tonumber(head[2]) - now) or nil
end
